import type { JSX } from 'preact';
import type { Proposal, StudioPicture } from '../../src/api.ts';
import { colorOfName } from './colors.ts';
import { ModelChoice, Threshold } from './model-choice.tsx';
import { pathOf } from './outlines.tsx';
import { act } from './state.ts';
import type { Suggestions } from './suggestions.ts';

interface ProposalsProps {
  readonly suggestions: Suggestions;
}

/** The list of what a model proposes, with a decision for each. */
export function Proposals({ suggestions }: ProposalsProps): JSX.Element {
  const { all, good, threshold, busy } = suggestions;
  return (
    <section class="panel" aria-labelledby="proposals-title">
      <h2 id="proposals-title">Proposals of a model</h2>
      <ModelChoice label="Propose" busy={busy.value} onUse={(model) => suggestions.ask(model)} />
      {all.value.length === 0 ? null : (
        <>
          <Threshold value={threshold} scores={all.value.map(({ score }) => score)} />
          <ul class="objects">
            {good.value.map((proposal) => (
              <Row key={keyOf(proposal)} proposal={proposal} suggestions={suggestions} />
            ))}
          </ul>
          <div class="row">
            <button type="button" disabled={good.value.length === 0} onClick={() => act(() => suggestions.acceptAll())}>
              Accept all {good.value.length}
            </button>
            <button type="button" onClick={() => suggestions.rejectAll()}>
              Reject all
            </button>
          </div>
          <p class="soft">
            <kbd>Enter</kbd> accepts, <kbd>C</kbd> corrects, <kbd>X</kbd> rejects
          </p>
        </>
      )}
    </section>
  );
}

function keyOf({ score, box }: Proposal): string {
  return `${score} ${box.join()}`;
}

function Row({ proposal, suggestions }: ProposalsProps & { readonly proposal: Proposal }): JSX.Element {
  const { name, score } = proposal;
  const { chosen } = suggestions;
  return (
    <li>
      <button
        type="button"
        class="class"
        aria-pressed={chosen.value === proposal}
        onClick={() => (chosen.value = proposal)}
      >
        <i class="dot" style={{ background: colorOfName(name) }} />
        <span class="name">
          {name} <span class="soft">{Math.round(100 * score)} %</span>
        </span>
      </button>
      <button type="button" aria-label={`Accept ${name}`} onClick={() => act(() => suggestions.accept(proposal))}>
        ✓
      </button>
      <button
        type="button"
        aria-label={`Correct ${name}`}
        onClick={() => act(() => suggestions.accept(proposal, true))}
      >
        ✎
      </button>
      <button type="button" aria-label={`Reject ${name}`} onClick={() => suggestions.reject(proposal)}>
        ✕
      </button>
    </li>
  );
}

interface ProposedProps extends ProposalsProps {
  readonly picture: StudioPicture;
  /** While somebody draws, clicks are corners. */
  readonly canChoose: boolean;
}

/** The same over the picture, dashed. */
export function ProposedOutlines({ picture, suggestions, canChoose }: ProposedProps): JSX.Element {
  const { good, chosen } = suggestions;
  return (
    <svg
      class="proposed"
      viewBox={`0 0 ${picture.width} ${picture.height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {good.value.map((proposal) => (
        <path
          key={keyOf(proposal)}
          class={proposal === chosen.value ? 'chosen' : ''}
          d={pathOf(proposal.polygons, proposal.box)}
          fill={colorOfName(proposal.name)}
          onClick={() => (chosen.value = proposal)}
          pointer-events={canChoose ? 'auto' : 'none'}
        />
      ))}
    </svg>
  );
}
