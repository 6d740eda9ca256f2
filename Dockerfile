# syntax=docker/dockerfile:1
# Builds rulegate and packs it with its rules. Nothing in the image runs as root.

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin rulegate && cp target/release/rulegate /rulegate

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin rulegate
COPY --from=build /rulegate /usr/local/bin/rulegate
COPY rules /etc/rulegate
RUN install -d -o 10001 -g 10001 /var/lib/rulegate
USER 10001:10001
WORKDIR /etc/rulegate
# Inside a container loopback reaches nobody, so all addresses are listened on. Then RULEGATE_KEY must say who may come in,
# or RULEGATE_PUBLISHED=127.0.0.1 that the port is published for the host alone, as compose.yaml does; else the router
# refuses to start and says so.
ENV RULEGATE_LISTEN=0.0.0.0:8000 \
    RULEGATE_RULES=/etc/rulegate/rules.yaml \
    RULEGATE_STATE=/var/lib/rulegate/state.json
# Cool downs, the choice made by hand and counters, which survive a restart of the container.
VOLUME /var/lib/rulegate
EXPOSE 8000
# The program asks itself: the image needs no other client.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5s --retries=3 CMD ["rulegate", "health"]
ENTRYPOINT ["rulegate"]
CMD ["run"]
