/** How the learning rate moves: the factor on the base rate at each step. */
export interface ScheduleOptions {
  /** Default `constant`. */
  readonly schedule?: 'constant' | 'step' | 'multistep' | 'cosine' | 'poly';
  /** Epochs at which `multistep` multiplies by gamma; fractions are allowed. */
  readonly milestones?: readonly number[];
  /** Epochs between two drops of `step`. Default 10. */
  readonly stepEpochs?: number;
  /** Factor of each drop. Default 0.1. */
  readonly gamma?: number;
  /** Exponent of `poly`. Default 0.9. */
  readonly power?: number;
  /** Where `cosine` and `poly` end, as a share of the base rate. Default 0. */
  readonly finalFactor?: number;
  /** Steps of linear warm-up. Default 0. */
  readonly warmupSteps?: number;
  /** Share of the rate at which the warm-up begins. Default 0.001. */
  readonly warmupFactor?: number;
}

/** The length of the training that a schedule is stretched over. */
export interface ScheduleLength {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

/** A pure function of the step, counted from 0: there is no state to save, and resuming cannot shift it. */
export type Schedule = (step: number) => number;

/** Builds the schedule; warm-up multiplies whatever comes after it, as in torchvision's recipe. */
export function createSchedule(options: ScheduleOptions, length: ScheduleLength): Schedule {
  const { warmupSteps = 0, warmupFactor = 0.001 } = options;
  const decay = createDecay(options, length);
  return (step) => {
    const warm = step >= warmupSteps ? 1 : warmupFactor + ((1 - warmupFactor) * step) / warmupSteps;
    return warm * decay(step);
  };
}

function createDecay(options: ScheduleOptions, { stepsPerEpoch, totalSteps }: ScheduleLength): Schedule {
  const { schedule = 'constant', milestones = [], stepEpochs = 10, gamma = 0.1 } = options;
  const { power = 0.9, finalFactor = 0 } = options;
  const progress = (step: number): number => Math.min(1, step / Math.max(1, totalSteps));
  const down = (share: number): number => finalFactor + (1 - finalFactor) * share;
  switch (schedule) {
    case 'step':
      return (step) => gamma ** Math.floor(step / (stepEpochs * stepsPerEpoch));
    case 'multistep':
      return (step) => gamma ** milestones.filter((epoch) => step >= Math.round(epoch * stepsPerEpoch)).length;
    case 'cosine': // Loshchilov and Hutter 2017 (arXiv:1608.03983), eq. 5, one period
      return (step) => down((1 + Math.cos(Math.PI * progress(step))) / 2);
    case 'poly':
      return (step) => down((1 - progress(step)) ** power);
    default:
      return () => 1;
  }
}
