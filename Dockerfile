# Mask R-CNN for a server without a GPU: packs the packages of this checkout and installs them as a user would.
#
#   docker build -t mask-rcnn .
#   docker run --rm -p 127.0.0.1:8080:8080 -v "$PWD/runs:/data/runs:ro" mask-rcnn
#   docker run --rm -v "$PWD:/data" mask-rcnn predict photos --weights runs/train
#
# Whoever reaches the port may use it: there is no password. Publish it on the loopback interface, or put a proxy in front.

FROM node:24-slim AS packed
WORKDIR /repository
COPY . .
RUN npm run build && node scripts/pack-program.mjs /program

FROM node:24-slim
WORKDIR /program
COPY --from=packed /program .
RUN npm install --omit=dev --no-audit --no-fund && npm cache clean --force && rm -r tarballs
ENV PATH=/program/node_modules/.bin:$PATH NODE_ENV=production
WORKDIR /data
RUN chown node:node /data
USER node
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# A shell between Docker and the program would keep SIGTERM to itself.
ENTRYPOINT ["mask-rcnn"]
CMD ["serve", "--host", "0.0.0.0"]
