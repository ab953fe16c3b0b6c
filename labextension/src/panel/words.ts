/**
 * The panel's words and numbers, in the user's language.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import {
  ConnectionState,
  IConnectionStatus,
  ITransfer,
  Service
} from '../tokens';

/** A service's name. */
export function serviceName(
  service: Service,
  trans: TranslationBundle
): string {
  switch (service) {
    case 'main':
      return trans.__('Messages');
    case 'terminal':
      return trans.__('Terminals');
    case 'file-stream':
      return trans.__('File streams');
  }
}

/** A state's name. */
export function stateName(
  state: ConnectionState,
  trans: TranslationBundle
): string {
  switch (state) {
    case 'idle':
      return trans.__('not in use');
    case 'connecting':
      return trans.__('connecting…');
    case 'connected':
      return trans.__('connected');
    case 'reconnecting':
      return trans.__('reconnecting…');
    case 'disconnected':
      return trans.__('disconnected');
    case 'failed':
      return trans.__('failed');
  }
}

/** What stands behind a connection's state: round trip, attempts, since when, the last error. */
export function statusDetails(
  status: IConnectionStatus,
  trans: TranslationBundle
): string {
  const details: string[] = [];
  if (status.state === 'idle') {
    return '';
  }
  if (status.roundTripMs !== null && status.state === 'connected') {
    details.push(trans.__('%1 ms', Math.round(status.roundTripMs)));
  }
  if (status.attempts > 1) {
    details.push(trans.__('attempt %1', status.attempts));
  }
  const since = new Date(status.since).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
  details.push(trans.__('since %1', since));
  if (status.lastError && status.state !== 'connected') {
    details.push(status.lastError);
  }
  return details.join(' · ');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A number of bytes for a person, in powers of 1000. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text =
    unit === 0 || value >= 9.95 ? String(Math.round(value)) : value.toFixed(1);
  return `${text.replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/** How long it will still take, for a person; empty where that is not known. */
export function timeLeft(ms: number | null, trans: TranslationBundle): string {
  if (ms === null || !Number.isFinite(ms)) {
    return '';
  }
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 60) {
    return trans.__('%1 s left', seconds);
  }
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) {
    return trans.__('%1 min left', minutes);
  }
  const hours = Math.floor(minutes / 60);
  return trans.__('%1 h %2 min left', hours, minutes % 60);
}

/** A transfer's name: its file's, or its directory's; of files that go together, their number and their directory's. */
export function transferName(
  transfer: ITransfer,
  trans: TranslationBundle
): string {
  const { direction, kind, path, entries } = transfer;
  const name = path.split('/').pop() || '/';
  return kind === 'tree' && direction === 'upload'
    ? trans._n('%1 item into %2', '%1 items into %2', entries, name)
    : name;
}

/** How far a transfer is. */
function progress(transfer: ITransfer, trans: TranslationBundle): string {
  const { kind, written, size, entries, settled } = transfer;
  return kind === 'tree'
    ? trans.__(
        '%1 of %2 items, %3 of %4',
        settled,
        entries,
        bytes(written),
        bytes(size)
      )
    : trans.__('%1 of %2', bytes(written), bytes(size));
}

/** What stands under a transfer's bar. */
export function transferDetails(
  transfer: ITransfer,
  trans: TranslationBundle
): string {
  const { written, size, state, rate, error, remainingMs } = transfer;
  switch (state) {
    case 'waiting':
      return trans.__('waiting');
    case 'running':
      return [
        progress(transfer, trans),
        rate > 0 ? trans.__('%1/s', bytes(rate)) : '',
        timeLeft(remainingMs, trans)
      ]
        .filter(part => part !== '')
        .join(', ');
    case 'paused':
      return error
        ? trans.__('paused at %1: %2', bytes(written), error)
        : trans.__('paused at %1 of %2', bytes(written), bytes(size));
    case 'needs-file':
      return trans.__('choose the file again to continue');
    case 'committing':
      return trans.__('finishing…');
    case 'done':
      return trans.__('%1, done', bytes(size));
    case 'failed':
      return trans.__('failed: %1', error ?? '');
    case 'cancelled':
      return trans.__('cancelled');
  }
}

const MOVING: ReadonlySet<ITransfer['state']> = new Set([
  'waiting',
  'running',
  'committing'
] as const);

/** All transfers in a few words, for the status bar; null where none is under way. */
export function transferSummary(
  transfers: readonly ITransfer[],
  trans: TranslationBundle
): string | null {
  const moving = transfers.filter(({ state }) => MOVING.has(state));
  if (moving.length === 0) {
    return heldSummary(transfers, trans);
  }
  const of = (direction: ITransfer['direction']) =>
    moving.filter(one => one.direction === direction).length;
  const sum = (value: (one: ITransfer) => number) =>
    moving.reduce((total, one) => total + value(one), 0);
  const [size, written] = [sum(one => one.size), sum(one => one.written)];
  const rate = sum(one => one.rate);
  const share = size > 0 ? Math.floor((100 * written) / size) : null;
  return [
    of('upload') > 0 ? trans._n('%1 upload', '%1 uploads', of('upload')) : '',
    of('download') > 0
      ? trans._n('%1 download', '%1 downloads', of('download'))
      : '',
    share === null ? '' : trans.__('%1 %', share),
    timeLeft(rate > 0 ? (1000 * (size - written)) / rate : null, trans)
  ]
    .filter(part => part !== '')
    .join(', ');
}

function heldSummary(
  transfers: readonly ITransfer[],
  trans: TranslationBundle
): string | null {
  const count = (state: ITransfer['state']) =>
    transfers.filter(one => one.state === state).length;
  const [needs, paused] = [count('needs-file'), count('paused')];
  if (needs > 0) {
    return trans._n(
      '%1 upload needs its file',
      '%1 uploads need their files',
      needs
    );
  }
  return paused > 0
    ? trans._n('%1 transfer is paused', '%1 transfers are paused', paused)
    : null;
}
