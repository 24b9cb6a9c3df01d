import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What a server counts, for Prometheus. Each server has a registry of its own. */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly requests: Counter<'route' | 'status'>;
  readonly seconds: Histogram<'route'>;
  readonly batches: Histogram;
  readonly batchSeconds: Histogram;
  readonly objects: Counter;
  readonly waiting: Gauge;

  /** @param waiting how many images wait for the model, asked when somebody looks */
  constructor(waiting: () => number) {
    const registers = [this.registry];
    const seconds = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    this.requests = new Counter({
      name: 'mask_rcnn_requests_total',
      help: 'Requests that were answered, by route and status',
      labelNames: ['route', 'status'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'mask_rcnn_request_seconds',
      help: 'From a request to its answer',
      labelNames: ['route'],
      buckets: seconds,
      registers,
    });
    this.batches = new Histogram({
      name: 'mask_rcnn_batch_images',
      help: 'Images that the model saw at once',
      buckets: [1, 2, 4, 8, 16, 32],
      registers,
    });
    this.batchSeconds = new Histogram({
      name: 'mask_rcnn_batch_seconds',
      help: 'The model on one batch',
      buckets: seconds,
      registers,
    });
    this.objects = new Counter({ name: 'mask_rcnn_objects_total', help: 'Objects that were found', registers });
    this.waiting = new Gauge({
      name: 'mask_rcnn_waiting_images',
      help: 'Images that wait for the model',
      registers,
      collect(): void {
        this.set(waiting());
      },
    });
    collectDefaultMetrics({ register: this.registry });
  }
}
