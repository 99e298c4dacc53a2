# Any service: docker build --build-arg SERVICE=risk --tag whaletrader-risk .
# Which index packages come from is the builder's choice; the hashes say which files they are.
ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
ARG SERVICE
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN test -n "$SERVICE" || { echo "Which service? --build-arg SERVICE=risk" >&2; exit 1; }
# Without pip of its own, so that nothing in the image can install anything.
RUN python -m venv --without-pip /opt/whaletrader
WORKDIR /src
COPY requirements/build.txt requirements/${SERVICE}.txt requirements/
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --require-hashes -r requirements/build.txt \
    && pip --python /opt/whaletrader/bin/python install --only-binary :all: --require-hashes \
        -r "requirements/$SERVICE.txt"
COPY . .
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
    && pip --python /opt/whaletrader/bin/python install --no-deps --no-index /wheels/*.whl \
    && /opt/whaletrader/bin/python -m compileall -q /opt/whaletrader/lib

FROM python:${PYTHON_VERSION}-slim-bookworm
ARG SERVICE
LABEL org.opencontainers.image.title="whaletrader-${SERVICE}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV SERVICE=${SERVICE} \
    PATH=/opt/whaletrader/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WHALETRADER_DATA_DIR=/var/lib/whaletrader \
    WHALETRADER_HEALTH_PORT=8081 WHALETRADER_HEALTH_HOST=0.0.0.0
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin trader \
    && install -d -o trader -g trader -m 0700 /var/lib/whaletrader
COPY --from=build /opt/whaletrader /opt/whaletrader
USER 10001:10001
# The health page; the gateway and the exchange serve their own on 8080.
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as r; \
    r.urlopen('http://127.0.0.1:' + os.environ['WHALETRADER_HEALTH_PORT'] + '/livez', timeout=2)"]
# exec: signals must reach the service, which hands its partitions back before it goes.
ENTRYPOINT ["/bin/sh", "-c", "exec python -m whaletrader.services.\"$SERVICE\" \"$@\"", "--"]
