/** A report: a plan that was run again, told by its story. */
import type { Plan } from "../plan/plan.js";
import { type RunOptions, type RunResult, runPlan } from "../run/run.js";
import { ARROWS_MAX, sequenceDiagram } from "./sequence.js";
import { SLICE_LINES_MAX, slice, subjectOfViolation } from "./slice.js";
import { type Story, type StoryOptions, tellStory } from "./story.js";
import { fold, lineOf } from "./telling.js";

/** What a run was. */
export interface Report {
  readonly result: RunResult;
  /** What was broken, and the facts that show it, under the short names of the lines. */
  readonly sentence: string | null;
  /** What matters for the violation, line by line; the end of the run if there was none. */
  readonly lines: readonly string[];
  /** The same as a Mermaid sequence diagram. */
  readonly diagram: string;
}

/**
 * Runs a plan and tells it step by step: each line says when, who, and what.
 *
 * @param told hears each line as soon as its instant is over
 */
export function runInSteps(
  plan: Plan,
  options: RunOptions,
  told: { readonly onLine: (line: string) => void } & StoryOptions,
): RunResult {
  const { result, story } = runWithStory(plan, options, told);
  story?.end();
  return result;
}

/** Runs a plan again and reports what led to its violation. */
export function reportOf(
  plan: Plan,
  options: RunOptions = {},
  { linesMax = SLICE_LINES_MAX, arrowsMax = ARROWS_MAX } = {},
): Report {
  const { result, story } = runWithStory(plan, options, {});
  const { violation } = result;
  const subject = violation === null ? null : subjectOfViolation(violation);
  const picked = slice(story?.happenings ?? [], subject, linesMax);
  const lines = fold(picked).map((one) => lineOf(one));
  const sentence = violation === null ? null : (story?.names.shorten(violation.sentence) ?? null);
  return { result, sentence, lines, diagram: sequenceDiagram(picked, arrowsMax) };
}

function runWithStory(plan: Plan, options: RunOptions, told: StoryOptions) {
  const stories: Story[] = [];
  const result = runPlan(plan, {
    ...options,
    onReady: (run) => {
      options.onReady?.(run);
      stories.push(tellStory(run, told));
    },
  });
  return { result, story: stories[0] };
}
