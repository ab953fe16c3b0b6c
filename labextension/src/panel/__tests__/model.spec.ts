import {
  statusOf,
  StubConnections,
  StubTransfers,
  transferOf
} from '../../testing/stubs';
import { HubError } from '../../protocol/errors';
import { ConnectionState, IConnectionStatus, Service } from '../../tokens';
import { PanelModel, SERVICES } from '../model';

let connections: StubConnections;
let transfers: StubTransfers;
let model: PanelModel;
let changes: number;
let errors: string[];

const settled = () => new Promise(resolve => setTimeout(resolve));

const tell = (status: IConnectionStatus) =>
  connections.statusChanged.emit(status);

beforeEach(() => {
  connections = new StubConnections();
  transfers = new StubTransfers();
  errors = [];
  model = new PanelModel(connections, transfers, ({ message }) =>
    errors.push(message)
  );
  changes = 0;
  model.changed.connect(() => (changes += 1));
});

describe('The model of the panel', () => {
  it('has a place for each service, in a fixed order', () => {
    expect(SERVICES).toEqual(['main', 'terminal', 'file-stream']);
    connections.worst.set('main', statusOf('main', null));
    expect(SERVICES.map(service => model.status(service).state)).toEqual([
      'connected',
      'idle',
      'idle'
    ]);
  });

  it('lists the open connections of a service by name', () => {
    tell(statusOf('terminal', '2'));
    tell(statusOf('terminal', '1'));
    tell(statusOf('file-stream', 'op'));
    tell(statusOf('main', null));
    tell(statusOf('terminal', '2', { state: 'reconnecting' }));
    expect(
      model.connections('terminal').map(({ id, state }) => [id, state])
    ).toEqual([
      ['1', 'connected'],
      ['2', 'reconnecting']
    ]);
    expect(model.connections('file-stream').length).toBe(1);
    expect(model.connections('main')).toEqual([]);
    expect(changes).toBe(5);
  });

  it('keeps a terminal and a file stream of the same name apart', () => {
    tell(statusOf('terminal', 'x'));
    tell(statusOf('file-stream', 'x'));
    tell(statusOf('terminal', 'x', { state: 'idle' }));
    expect(SERVICES.map(one => model.connections(one).length)).toEqual([
      0, 0, 1
    ]);
  });

  it('forgets what was closed, and keeps what failed', () => {
    tell(statusOf('terminal', '1'));
    tell(statusOf('terminal', '1', { state: 'failed' }));
    expect(model.connections('terminal')).toMatchObject([{ state: 'failed' }]);
    tell(statusOf('terminal', '1', { state: 'idle' }));
    expect(model.connections('terminal')).toEqual([]);
  });

  it('has the worst state of all services', () => {
    expect(model.worst).toBe('idle');
    const order: Array<[Service, ConnectionState]> = [
      ['main', 'connected'],
      ['terminal', 'connecting'],
      ['file-stream', 'reconnecting'],
      ['main', 'disconnected'],
      ['terminal', 'failed']
    ];
    for (const [service, state] of order) {
      connections.worst.set(service, statusOf(service, null, { state }));
      expect(model.worst).toBe(state);
    }
  });

  it('has the transfers, newest first, and changes nothing in their own list', () => {
    transfers.transfers = [transferOf({ id: '1' }), transferOf({ id: '2' })];
    transfers.changed.emit();
    expect(model.transfers.map(({ id }) => id)).toEqual(['2', '1']);
    expect(transfers.transfers.map(({ id }) => id)).toEqual(['1', '2']);
    expect(changes).toBe(1);
  });

  it('passes on what a user wants of a transfer', () => {
    model.pause('1');
    model.resume('2');
    model.cancel('3');
    model.retry('4');
    model.forget('5');
    expect(transfers.calls).toEqual([
      'pause 1',
      'resume 2',
      'cancel 3',
      'retry 4',
      'forget 5'
    ]);
  });

  it('tells of what could not be done', async () => {
    transfers.pause = () => Promise.reject(new Error('It is gone.'));
    model.pause('1');
    await Promise.resolve();
    expect(errors).toEqual(['It is gone.']);
  });

  it('clears what has ended, and only that', () => {
    const states = [
      'running',
      'done',
      'failed',
      'cancelled',
      'paused'
    ] as const;
    expect(model.hasEnded).toBe(false);
    transfers.transfers = states.map(state => transferOf({ id: state, state }));
    expect(model.hasEnded).toBe(true);
    model.clearEnded();
    expect(transfers.calls).toEqual([
      'forget done',
      'forget failed',
      'forget cancelled'
    ]);
  });

  it('asks for a file only where permission does not do', async () => {
    const file = new File(['x'], 'x');
    const choose = jest.fn(async () => file);
    model.goOn('1', choose);
    await settled();
    expect([transfers.calls, choose.mock.calls.length]).toEqual([
      ['resume 1'],
      0
    ]);
    transfers.resume = () =>
      Promise.reject(HubError.of('unsupported', 'no handle'));
    model.goOn('2', choose);
    await settled();
    expect(transfers.calls).toEqual(['resume 1', 'provide 2 x']);
    choose.mockResolvedValueOnce(null as unknown as File);
    model.goOn('3', choose);
    await settled();
    expect([transfers.calls.length, errors]).toEqual([2, []]);
    transfers.resume = () => Promise.reject(HubError.of('forbidden', 'No.'));
    model.goOn('4', choose);
    await settled();
    expect([choose.mock.calls.length, errors]).toEqual([2, ['No.']]);
  });

  it('listens no longer when it is disposed', () => {
    model.dispose();
    model.dispose();
    tell(statusOf('terminal', '1'));
    transfers.changed.emit();
    expect([model.isDisposed, changes, model.connections('terminal')]).toEqual([
      true,
      0,
      []
    ]);
  });
});
