import {
  statusOf,
  StubConnections,
  StubTransfers,
  transferOf
} from '../../testing/stubs';
import { Plots } from '../plots';

let connections: StubConnections;
let transfers: StubTransfers;
let plots: Plots;

const pong = (roundTripMs: number, since = 1) => {
  const status = statusOf('main', null, { roundTripMs, since });
  connections.worst.set('main', status);
  connections.statusChanged.emit(status);
};

beforeEach(() => {
  jest.useFakeTimers();
  connections = new StubConnections();
  transfers = new StubTransfers();
  plots = new Plots(connections, transfers);
});

afterEach(() => {
  plots.dispose();
  jest.useRealTimers();
});

it('Nothing is measured while nobody looks', () => {
  pong(5);
  jest.advanceTimersByTime(60_000);
  expect([connections.calls, plots.roundTrip.values]).toEqual([[], []]);
  expect(jest.getTimerCount()).toBe(0);
});

it('The round trip is measured every two seconds, and is not known without a connection', () => {
  pong(5);
  plots.watch(true);
  pong(6);
  jest.advanceTimersByTime(2000);
  pong(7);
  expect(connections.calls).toEqual(['measure', 'measure']);
  expect(plots.roundTrip.values).toEqual([6, 7]);
  connections.worst.set(
    'main',
    statusOf('main', null, { state: 'reconnecting' })
  );
  jest.advanceTimersByTime(2000);
  expect(plots.roundTrip.values).toEqual([6, 7, null]);
  expect(connections.calls.length).toBe(2);
});

it('A new connection’s old round trip does not count', () => {
  pong(5);
  plots.watch(true);
  pong(5, 2);
  expect(plots.roundTrip.values).toEqual([]);
  pong(8, 2);
  expect(plots.roundTrip.values).toEqual([8]);
});

it('The throughput is that of this tab', () => {
  transfers.transfers = [
    transferOf({ state: 'running', rate: 5 }),
    transferOf({ state: 'running', rate: 7 }),
    transferOf({ state: 'running', rate: 100, here: false }),
    transferOf({ state: 'paused', rate: 1000 })
  ];
  plots.watch(true);
  expect(plots.throughput.values).toEqual([12]);
});

it('It rests when nobody looks any more, and for good when it is disposed', () => {
  plots.watch(true);
  plots.watch(false);
  expect(jest.getTimerCount()).toBe(0);
  plots.dispose();
  plots.watch(true);
  expect(jest.getTimerCount()).toBe(0);
});
