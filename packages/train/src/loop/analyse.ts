import {
  type ClassificationReport,
  type CocoDataset,
  type CocoResult,
  classificationReport,
  confusionMatrix,
  confusionPlot,
  type Detections,
  detectionsFrom,
  type EvalParams,
  type Evaluation,
  errorBreakdown,
  errorPlot,
  type GroundTruth,
  groundTruthFrom,
  type IoUType,
  precisionRecallPlot,
} from '@rcnn/coco-eval';

/** What an evaluation tells beyond COCO's numbers: where a model errs, and from which score on it is best. */
export interface KindAnalysis {
  /** Precision, recall and F1 of each class from {@link ClassificationReport.scoreThreshold} on. */
  readonly report: ClassificationReport;
  /** SVG documents: precision over recall; for boxes and masks also kinds of error and the confusion matrix. */
  readonly plots: readonly string[];
}

/** From this score on things are judged where no detection is right, so that no score is best. */
const USUAL_SCORE = 0.5;

/**
 * Looks into an evaluation.
 * @param scoreThreshold detections below it are not looked at. Default where the mean F1 over classes is highest
 */
export function analyse(
  evaluation: Evaluation,
  truth: GroundTruth,
  detections: Detections,
  scoreThreshold?: number,
  params: Pick<EvalParams, 'oksSigmas'> = {},
): KindAnalysis {
  const { iouType } = evaluation;
  const taken = scoreThreshold ?? bestScoreOf(truth, detections, { iouType, ...params });
  const report = classificationReport(truth, detections, { iouType, scoreThreshold: taken, ...params });
  const plots = [precisionRecallPlot(evaluation)];
  if (iouType !== 'keypoints') {
    plots.push(
      errorPlot(errorBreakdown(truth, detections, { iouType })),
      confusionPlot(confusionMatrix(truth, detections, { iouType, scoreThreshold: taken })),
    );
  }
  return { report, plots };
}

/** Truth and results in columns, read once for all that looks into them. */
export function columnsOf(truth: CocoDataset, results: readonly CocoResult[]): [truth: GroundTruth, found: Detections] {
  const columns = groundTruthFrom(truth);
  return [columns, detectionsFrom(results, columns)];
}

/** The score from which on the mean F1 over classes is highest; 0.5 where no detection is right. */
export function bestScoreOf(
  truth: GroundTruth,
  detections: Detections,
  how: Pick<EvalParams, 'oksSigmas'> & { readonly iouType: IoUType },
): number {
  const { scoreThreshold } = classificationReport(truth, detections, how).best;
  return Number.isNaN(scoreThreshold) ? USUAL_SCORE : scoreThreshold;
}
