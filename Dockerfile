# docker build -t freshet .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 make build VERSION=${VERSION} && mkdir /data

FROM scratch
COPY --from=build /src/bin/freshet /freshet
# The server runs without root and owns its data folder only.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
EXPOSE 4680 4681
# Healthy is what takes requests. Until the log has been read at the start it does not, and is given the time.
HEALTHCHECK --interval=10s --timeout=10s --start-period=5m CMD ["/freshet", "health"]
ENTRYPOINT ["/freshet"]
CMD ["serve", "--listen", "0.0.0.0:4680", "--admin", "0.0.0.0:4681", "--data", "/data"]
