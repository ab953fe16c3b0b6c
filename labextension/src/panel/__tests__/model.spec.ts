import {
  statusOf,
  StubConnections,
  StubTransfers,
  transferOf
} from '../../testing/stubs';
import { ConnectionState, IConnectionStatus, Service } from '../../tokens';
import { PanelModel, SERVICES } from '../model';

let connections: StubConnections;
let transfers: StubTransfers;
let model: PanelModel;
let changes: number;

const tell = (status: IConnectionStatus) =>
  connections.statusChanged.emit(status);

beforeEach(() => {
  connections = new StubConnections();
  transfers = new StubTransfers();
  model = new PanelModel(connections, transfers);
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

  it('passes on that a transfer is to be cancelled', async () => {
    await model.cancel('7');
    expect(transfers.calls).toEqual(['cancel 7']);
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
