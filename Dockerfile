# syntax=docker/dockerfile:1
# freshax's one image: every service is this image with another command. Pinned by version; pin the digest when you deploy.
FROM python:3.11-slim-bookworm AS build

# pip, setuptools and all dependencies by hash: what is not in a lock cannot get in.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/freshax
WORKDIR /src
COPY deploy/requirements.lock deploy/build-requirements.lock deploy/
RUN /opt/freshax/bin/pip install --require-hashes --only-binary :all: -r deploy/requirements.lock \
    && python -m pip install --require-hashes --only-binary :all: -r deploy/build-requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY connectors connectors
COPY streams streams
# The wheel is built here and without isolation, so that nothing is fetched without a hash.
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/freshax/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/freshax/bin/pip check \
    && /opt/freshax/bin/python -m compileall -q /opt/freshax/lib


FROM python:3.11-slim-bookworm

# FreeTDS reaches AX's SQL Server; Microsoft's driver has a licence of its own and is not shipped.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tdsodbc unixodbc \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 freshax \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/freshax --shell /usr/sbin/nologin freshax \
    && install -d -o freshax -g freshax -m 0700 /var/lib/freshax
COPY --from=build /opt/freshax /opt/freshax

ENV PATH=/opt/freshax/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FRESHAX_AX_SQL__DRIVER=FreeTDS \
    FRESHAX_FRESHBOOKS__TOKEN_FILE=/var/lib/freshax/freshbooks-token \
    FRESHAX_OBSERVE__HOST=0.0.0.0 \
    FRESHAX_OBSERVE__PORT=9464 \
    FRESHAX_WEBHOOK__HOST=0.0.0.0 \
    FRESHAX_WEBHOOK__VERIFIER_FILE=/var/lib/freshax/freshbooks-verifiers \
    FRESHAX_WORKER__DATA_DIR=/tmp/freshax-worker

USER 10001:10001
WORKDIR /var/lib/freshax
VOLUME /var/lib/freshax
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["freshax"]
CMD ["--help"]
