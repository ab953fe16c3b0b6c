/**
 * Small things that many tests need.
 */
import { ServerConnection } from '@jupyterlab/services';

import { HubError } from '../protocol/errors';
import { Event } from '../protocol/generated';
import { IRawSubscriber } from '../connections/subscription';

/** Let fake time pass, timer by timer, until something holds; fails when it does not within `limitMs`. */
export async function until(
  what: string,
  holds: () => boolean,
  limitMs = 60_000
): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!holds()) {
    if (Date.now() >= endMs) {
      throw new Error(`Within ${limitMs} ms this did not hold: ${what}`);
    }
    if (jest.getTimerCount() > 0) {
      await jest.advanceTimersToNextTimerAsync();
    } else {
      // Something outside of the fake clock is awaited, such as a file.
      await jest.advanceTimersByTimeAsync(1);
    }
  }
}

/** Let fake time pass, with all that is due in it. */
export function pass(ms: number): Promise<void> {
  return jest.advanceTimersByTimeAsync(ms);
}

/** Settings of a server that answers every HTTP request with a status. */
export function settingsWith(
  status: (url: string) => number = () => 200,
  more: Partial<ServerConnection.ISettings> = {}
): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: 'http://hub.test/base/',
    wsUrl: 'ws://hub.test/base/',
    token: '',
    appendToken: false,
    fetch: async request =>
      new Response('{}', { status: status((request as Request).url) }),
    ...more
  });
}

/** How a promise ended. */
export interface IEnd<T> {
  value?: T;
  error?: HubError;
  settled: boolean;
}

/** Watch a promise: what it ended with is there as soon as it ends. */
export function watch<T>(promise: Promise<T>): IEnd<T> {
  const end: IEnd<T> = { settled: false };
  promise.then(
    value => Object.assign(end, { value, settled: true }),
    error => Object.assign(end, { error, settled: true })
  );
  return end;
}

/** A subscriber that keeps what it is told. */
export class Recorder implements IRawSubscriber {
  readonly events: Event[] = [];
  readonly snapshots: Array<{ snapshot: unknown; reason: string | null }> = [];
  readonly errors: HubError[] = [];
  lives = 0;

  /** The payloads of the events. */
  get data(): unknown[] {
    return this.events.map(event => event.data);
  }

  onEvent(event: Event): void {
    this.events.push(event);
  }

  onSnapshot(snapshot: unknown, reason: string | null): void {
    this.snapshots.push({ snapshot, reason });
  }

  onLive(): void {
    this.lives += 1;
  }

  onError(error: HubError): void {
    this.errors.push(error);
  }
}
