import { nullTranslator } from '@jupyterlab/translation';

import { statusOf, transferOf } from '../../testing/stubs';
import { ConnectionState, Service, TransferState } from '../../tokens';
import {
  bytes,
  serviceName,
  stateName,
  statusDetails,
  timeLeft,
  transferDetails,
  transferName,
  transferSummary
} from '../words';

const trans = nullTranslator.load('jupyter_ws_hub');

describe('Numbers of bytes', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1500, '1.5 kB'],
    [12_345, '12 kB'],
    [99_400, '99 kB'],
    [99_600, '100 kB'],
    [123_456, '123 kB'],
    [999_400, '999 kB'],
    [999_600, '1 MB'],
    [99_990_000, '100 MB'],
    [4_194_304, '4.2 MB'],
    [1e10, '10 GB'],
    [2.5e12, '2.5 TB']
  ])('%d are written %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });

  it('are never written with a power of ten', () => {
    for (let count = 1; count < 9e14; count = Math.ceil(count * 1.003)) {
      expect(bytes(count)).toMatch(/^\d{1,3}(\.\d)? (B|kB|MB|GB|TB)$/);
    }
  });
});

describe('The words of the panel', () => {
  it('name every service and every state differently', () => {
    const services: Service[] = ['main', 'terminal', 'file-stream'];
    const states: ConnectionState[] = [
      'idle',
      'connecting',
      'connected',
      'reconnecting',
      'disconnected',
      'failed'
    ];
    const names = [
      ...services.map(service => serviceName(service, trans)),
      ...states.map(state => stateName(state, trans))
    ];
    expect(new Set(names).size).toBe(9);
    expect(names.every(name => name.length > 0)).toBe(true);
  });

  it('ask for a translation each time', () => {
    const upper = {
      ...trans,
      __: (text: string) => text.toUpperCase()
    } as typeof trans;
    expect(serviceName('main', upper)).toBe('MESSAGES');
    expect(stateName('connected', upper)).toBe('CONNECTED');
    expect(transferDetails(transferOf(), upper)).toBe('WAITING');
  });
});

describe('What stands behind a state', () => {
  const since = new Date(2026, 0, 2, 3, 4).getTime();
  const at = new Date(since).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
  const details = (more: Parameters<typeof statusOf>[2]) =>
    statusDetails(statusOf('main', null, { since, ...more }), trans);

  it('is nothing where nothing is open', () => {
    expect(details({ state: 'idle', lastError: 'x' })).toBe('');
  });

  it('is the round trip while it is connected', () => {
    expect(details({ roundTripMs: 12.6 })).toBe(`13 ms · since ${at}`);
    expect(details({ roundTripMs: 0 })).toBe(`0 ms · since ${at}`);
    expect(details({})).toBe(`since ${at}`);
  });

  it('is the number of attempts and the error while it is not', () => {
    const lastError = 'The connection was lost.';
    expect(
      details({ state: 'reconnecting', attempts: 1, roundTripMs: 5 })
    ).toBe(`since ${at}`);
    expect(details({ state: 'reconnecting', attempts: 3, lastError })).toBe(
      `attempt 3 · since ${at} · ${lastError}`
    );
    expect(details({ state: 'connected', lastError })).toBe(`since ${at}`);
  });
});

describe('What stands under a transfer', () => {
  const numbers = { size: 2_000_000, written: 500_000 };
  const texts: Array<[TransferState, string]> = [
    ['waiting', 'waiting'],
    ['running', '500 kB of 2 MB'],
    ['needs-file', 'choose the file again to continue'],
    ['committing', 'finishing…'],
    ['paused', 'paused at 500 kB: No space.'],
    ['done', '2 MB, done'],
    ['failed', 'failed: No space.'],
    ['cancelled', 'cancelled']
  ];

  it.each(texts)('that is %s is: %s', (state, text) => {
    const transfer = transferOf({ ...numbers, state, error: 'No space.' });
    expect(transferDetails(transfer, trans)).toBe(text);
  });

  it('has the rate and the time left where they are known', () => {
    const running = { ...numbers, state: 'running', rate: 1_250_000 } as const;
    expect(transferDetails(transferOf(running), trans)).toBe(
      '500 kB of 2 MB, 1.3 MB/s'
    );
    expect(
      transferDetails(transferOf({ ...running, remainingMs: 1200 }), trans)
    ).toBe('500 kB of 2 MB, 1.3 MB/s, 2 s left');
  });

  it('counts the files of a tree', () => {
    const transfer = transferOf({
      ...numbers,
      kind: 'tree',
      state: 'running',
      entries: 500,
      settled: 120
    });
    expect(transferDetails(transfer, trans)).toBe(
      '120 of 500 items, 500 kB of 2 MB'
    );
  });

  it('does without an error that is not known', () => {
    expect(transferDetails(transferOf({ state: 'failed' }), trans)).toBe(
      'failed: '
    );
    expect(
      transferDetails(transferOf({ ...numbers, state: 'paused' }), trans)
    ).toBe('paused at 500 kB of 2 MB');
  });
});

describe('The time left', () => {
  it.each([
    [null, ''],
    [Infinity, ''],
    [0, '1 s left'],
    [59_000, '59 s left'],
    [59_001, '1 min left'],
    [61_000, '2 min left'],
    [3_541_000, '1 h 0 min left'],
    [5_400_000, '1 h 30 min left']
  ])('of %p ms is "%s"', (ms, text) => {
    expect(timeLeft(ms, trans)).toBe(text);
  });
});

describe('The name of a transfer', () => {
  it.each([
    ['a/b.bin', 'b.bin'],
    ['b.bin', 'b.bin'],
    ['', '/']
  ])('to %p is %p', (path, name) => {
    expect(transferName(transferOf({ path }), trans)).toBe(name);
  });

  it('of many files has their number', () => {
    const tree = transferOf({ kind: 'tree', path: 'a/b', entries: 500 });
    expect(transferName(tree, trans)).toBe('500 items into b');
  });
});

describe('The summary of all transfers', () => {
  const running = transferOf({
    size: 100_000,
    written: 34_000,
    rate: 1000,
    state: 'running'
  });

  it('is nothing where nothing is under way', () => {
    expect(transferSummary([], trans)).toBeNull();
    const ended = (['done', 'failed', 'cancelled'] as const).map(state =>
      transferOf({ state })
    );
    expect(transferSummary(ended, trans)).toBeNull();
  });

  it('has number, share and time left', () => {
    expect(transferSummary([running], trans)).toBe(
      '1 upload, 34 %, 2 min left'
    );
    const waiting = transferOf({ size: 100_000 });
    const down = transferOf({ ...running, direction: 'download' });
    expect(transferSummary([running, waiting], trans)).toBe(
      '2 uploads, 17 %, 3 min left'
    );
    expect(transferSummary([running, down], trans)).toBe(
      '1 upload, 1 download, 34 %, 2 min left'
    );
  });

  it('leaves out what is not known', () => {
    expect(transferSummary([transferOf()], trans)).toBe('1 upload');
  });

  it('says what waits for the user, while nothing else is under way', () => {
    const paused = transferOf({ state: 'paused' });
    const needs = transferOf({ state: 'needs-file' });
    expect(transferSummary([paused, paused], trans)).toBe(
      '2 transfers are paused'
    );
    expect(transferSummary([paused, needs], trans)).toBe(
      '1 upload needs its file'
    );
    expect(transferSummary([needs, needs], trans)).toBe(
      '2 uploads need their files'
    );
    expect(transferSummary([paused, running], trans)).toBe(
      '1 upload, 34 %, 2 min left'
    );
  });
});
