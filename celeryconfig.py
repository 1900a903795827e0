"""Settings of Celery: constants only."""
