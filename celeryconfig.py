"""Settings of Celery: constants only. What was measured for them is in docs/operations.md."""

broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = 10
# Messages are only wake-ups: a lost one costs a second, so none is acknowledged late, none has a
# result, and the broker is asked to remember as little as possible.
task_acks_late = False
task_ignore_result = True
task_store_errors_even_if_ignored = False
task_serializer = "json"
accept_content = ["json"]
task_create_missing_queues = False
task_default_queue = "trading"
task_queues: dict[str, dict[str, str]] = {"trading": {}, "market": {}, "maintenance": {}}
task_routes = {
    "trading.*": {"queue": "trading"},
    "market.*": {"queue": "market"},
    "maintenance.*": {"queue": "maintenance"},
}
worker_prefetch_multiplier = 1
worker_pool = "threads"
worker_consumer = "workers.reconnect:QuickConsumer"
worker_enable_remote_control = True
worker_send_task_events = False
task_send_sent_event = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_cancel_long_running_tasks_on_connection_loss = False
broker_transport_options = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 5,
    "socket_timeout": 15,
    "socket_keepalive": True,
    "health_check_interval": 15,
    "retry_on_timeout": False,
    # A wake-up that cannot be sent is left to the sweeper; without these the sender waits seconds.
    "max_retries": 1,
    "interval_start": 0.1,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
timezone = "UTC"
enable_utc = True
imports = ("tasks.trading", "tasks.market", "tasks.maintenance")

# Without `expires` a worker that comes back would find a burst of old messages. It is compared with
# the worker's own clock, so it leaves room for clocks that differ.
beat_schedule = {
    "sweep": {
        "task": "maintenance.sweep",
        "schedule": 1.0,
        "options": {"expires": 15.0},
    },
    "refresh-catalog": {
        "task": "market.refresh_catalog",
        "schedule": 60.0,
        "options": {"expires": 50.0},
    },
    "refresh-balances": {
        "task": "maintenance.refresh_balances",
        "schedule": 60.0,
        "options": {"expires": 50.0},
    },
    "prune": {
        "task": "maintenance.prune",
        "schedule": 3600.0,
        "options": {"expires": 600.0},
    },
}
beat_max_loop_interval = 1
beat_scheduler = "workers.schedule:OneLineScheduler"
