/**
 * A small plot of the last values, without axes: what it shows is said in its label.
 */
import * as React from 'react';

import { History, LENGTH, scaleFor } from './history';

const WIDTH = 2 * (LENGTH - 1);
const HEIGHT = 24;
/** Room for half of the line's width. */
const EDGE = 1;

/** The stretches of known values as points of the plot; the newest value stands at the right. */
export function stretches(
  values: ReadonlyArray<number | null>,
  scale: number
): Array<Array<[number, number]>> {
  const found: Array<Array<[number, number]>> = [];
  let open: Array<[number, number]> | null = null;
  values.forEach((value, n) => {
    if (value === null) {
      open = null;
      return;
    }
    if (open === null) {
      open = [];
      found.push(open);
    }
    const share = Math.min(1, Math.max(0, value / scale));
    const x = WIDTH - 2 * (values.length - 1 - n);
    open.push([x, HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)]);
  });
  return found;
}

const line = (points: ReadonlyArray<[number, number]>) =>
  points.map(([x, y], n) => `${n ? 'L' : 'M'}${x} ${y.toFixed(1)}`).join('');

function Stretch(props: { points: Array<[number, number]> }): JSX.Element {
  const { points } = props;
  const [first, last] = [points[0]!, points[points.length - 1]!];
  // A single value is a dash.
  const drawn: Array<[number, number]> =
    points.length > 1 ? points : [[first[0] - 1, first[1]], first];
  return (
    <>
      <path
        className="jp-WsHub-plotArea"
        d={`${line(drawn)}L${last[0]} ${HEIGHT}L${drawn[0]![0]} ${HEIGHT}Z`}
      />
      <path className="jp-WsHub-plotLine" d={line(drawn)} />
    </>
  );
}

export function Sparkline(props: {
  history: History;
  /** The smallest scale: what is lower than this is drawn low. */
  step: number;
  /** What is plotted, with its numbers. */
  label: string;
}): JSX.Element {
  const { history, step, label } = props;
  const known = history.values.filter((one): one is number => one !== null);
  const scale = scaleFor(Math.max(0, ...known), step);
  return (
    <svg
      className="jp-WsHub-plot"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path className="jp-WsHub-plotBase" d={`M0 ${HEIGHT}H${WIDTH}`} />
      {stretches(history.values, scale).map((points, n) => (
        <Stretch key={n} points={points} />
      ))}
    </svg>
  );
}
