/** Losses that take over what a teacher said of each candidate. */
import type { GraphBuilder, Value } from "../../graph/builder.ts";
import type { Loss } from "../../protocol/losses.ts";
import { infoNce } from "./contrastive.ts";
import { type LossInputs, meanOverRows, rowDots } from "./parts.ts";

type Named<N extends Loss["name"]> = Omit<Extract<Loss, { name: N }>, "name">;

/**
 * Divergence from a teacher over the row's own candidates (E5, Wang et al. 2022, section 3.3), plus α times InfoNCE.
 *
 * Row:      anchor | positive | negative 1 … h | teacher's scores of the 1 + h candidates
 * Value:    (1/b) Σ KL(softmax(t/τₜ) ‖ softmax(s/τ)) + α · InfoNCE, nats. No level of chance: with equal teacher scores
 *           an encoder that tells nothing apart has divergence 0.
 * Gradient: that of the mean over rows; none goes to the teacher.
 * Prefer:   when a stronger model has scored mined negatives, some of which are false.
 */
export function distillation(b: GraphBuilder, inputs: LossInputs, options: Named<"distillation">): Value {
  return b.scope("distillation", () => {
    const { temperature, teacherTemperature, contrastive } = options;
    const { anchors, positives, negatives } = inputs;
    const student = b.concat(
      [positives, ...negatives].map((passage) => rowDots(b, anchors, passage)),
      1,
    ); // [b, 1+h]
    const logP = b.logSoftmax(b.mul(student, 1 / temperature), 1);
    const logT = b.logSoftmax(b.mul(inputs.scores!, 1 / teacherTemperature), 1);
    const divergence = meanOverRows(b, b.mul(b.exp(logT), b.sub(logT, logP)));
    if (contrastive === 0) return divergence;
    const nce = infoNce(b, inputs, { temperature, symmetric: false, falseNegatives: { rule: "keep" } });
    return b.add(divergence, b.mul(nce, contrastive));
  });
}

/**
 * Margin-MSE (Hofstätter et al. 2020, equation 3): the student's lead of the positive over each negative is to be the
 * teacher's.
 *
 * Row:      anchor | positive | negative 1 … h | teacher's scores of the 1 + h candidates
 * Value:    mean over rows and negatives of ((s_qp − s_qn) − scale · (t_p − t_n))². No level of chance.
 * Gradient: that of the mean over rows and negatives.
 * Prefer:   for teachers whose scores have no fixed range; with unit vectors set `scale` so that the leads fit −2 … 2.
 */
export function marginMse(b: GraphBuilder, inputs: LossInputs, { scale }: Named<"margin-mse">): Value {
  return b.scope("margin-mse", () => {
    const { anchors, positives, negatives } = inputs;
    const own = rowDots(b, anchors, positives);
    const [teacher, ...others] = b.split(inputs.scores!, 1 + negatives.length, 1);
    const errors = negatives.map((negative, i) => {
      const student = b.sub(own, rowDots(b, anchors, negative));
      const error = b.sub(student, b.mul(b.sub(teacher!, others[i]!), scale));
      return b.mul(error, error);
    });
    const all = errors.length === 1 ? errors[0]! : b.concat(errors, 1);
    return b.mul(meanOverRows(b, all), 1 / errors.length);
  });
}
