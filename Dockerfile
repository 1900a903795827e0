FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/oto
COPY pyproject.toml constraints.txt README.md LICENSE cli.py celeryconfig.py ./
COPY oto oto
COPY workers workers
COPY tasks tasks
COPY models models
COPY migrations migrations
RUN /opt/oto/bin/pip install --no-cache-dir . -c constraints.txt

FROM python:3.11-slim
# A new volume takes the owner and the mode of the folder that it is mounted on.
RUN useradd --uid 10001 --no-create-home oto && install -d -o oto -g oto -m 0700 /var/lib/oto
COPY --from=build /opt/oto /opt/oto
ENV PATH=/opt/oto/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OTO_HOME=/var/lib/oto
USER 10001
WORKDIR /var/lib/oto
CMD ["oto", "--help"]
