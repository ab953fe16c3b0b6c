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

/** What stands under a transfer's bar. */
export function transferDetails(
  transfer: ITransfer,
  trans: TranslationBundle
): string {
  const { written, size, state, rate, error } = transfer;
  switch (state) {
    case 'waiting':
      return trans.__('waiting');
    case 'running':
      return rate > 0
        ? trans.__('%1 of %2, %3/s', bytes(written), bytes(size), bytes(rate))
        : trans.__('%1 of %2', bytes(written), bytes(size));
    case 'paused':
      return trans.__('paused at %1: %2', bytes(written), error ?? '');
    case 'needs-file':
      return trans.__('choose the file again to go on');
    case 'committing':
      return trans.__('is being put in its place');
    case 'done':
      return trans.__('%1, done', bytes(size));
    case 'failed':
      return trans.__('failed: %1', error ?? '');
    case 'cancelled':
      return trans.__('cancelled');
  }
}
