import { ConnectionState, IConnectionStatus } from '../../tokens';
import { StatusBook } from '../status';

describe('The book of statuses', () => {
  let now = 0;
  let book: StatusBook;
  let told: IConnectionStatus[];

  beforeEach(() => {
    now = 1000;
    book = new StatusBook(() => now);
    told = [];
    book.changed.connect((_, status) => told.push(status));
  });

  it('says idle of what was never opened', () => {
    const idle = {
      state: 'idle',
      attempts: 0,
      lastError: null,
      roundTripMs: null
    };
    expect(book.get('main')).toMatchObject({
      ...idle,
      service: 'main',
      id: null
    });
    expect(book.get('terminal', '1')).toMatchObject({ ...idle, id: '1' });
  });

  it('tells of every change with the whole status', () => {
    book.update('terminal', '1', { state: 'connecting', attempts: 1 });
    now = 2000;
    book.update('terminal', '1', { roundTripMs: 7 });
    expect(told).toEqual([
      {
        service: 'terminal',
        id: '1',
        state: 'connecting',
        since: 1000,
        attempts: 1,
        lastError: null,
        roundTripMs: null
      },
      expect.objectContaining({ roundTripMs: 7, attempts: 1, since: 1000 })
    ]);
    expect(book.get('terminal', '1')).toEqual(told[1]);
  });

  it('knows since when a state holds: only another state begins anew', () => {
    book.update('main', null, { state: 'connecting' });
    now = 2000;
    book.update('main', null, { state: 'connecting', attempts: 2 });
    expect(book.get('main').since).toBe(1000);
    now = 3000;
    book.update('main', null, { state: 'connected' });
    expect(book.get('main').since).toBe(3000);
  });

  it('does not change a status that was handed out', () => {
    book.update('main', null, { state: 'connecting' });
    const before = book.get('main');
    book.update('main', null, { state: 'connected' });
    expect(before.state).toBe('connecting');
  });

  it('gives the worst connection of a service', () => {
    const order: ConnectionState[] = [
      'connected',
      'connecting',
      'reconnecting',
      'disconnected',
      'failed'
    ];
    order.forEach((state, n) => {
      book.update('terminal', String(n), { state });
      book.update('file-stream', String(9 - n), { state: order[4 - n] });
      expect(book.get('terminal')).toMatchObject({ state, id: String(n) });
      expect(book.get('file-stream').state).toBe('failed');
    });
    expect(book.get('main').state).toBe('idle');
  });

  it('forgets what was closed on purpose, and tells of it once', () => {
    book.update('terminal', '1', { state: 'failed', lastError: 'x' });
    book.update('terminal', '2', { state: 'connected' });
    now = 5000;
    book.remove('terminal', '1');
    book.remove('terminal', '1');
    expect(told.slice(2)).toEqual([
      expect.objectContaining({
        id: '1',
        state: 'idle',
        since: 5000,
        lastError: null
      })
    ]);
    expect(book.get('terminal', '1').state).toBe('idle');
    expect(book.get('terminal').state).toBe('connected');
  });

  it('keeps services and ids apart', () => {
    book.update('terminal', 'x', { state: 'failed' });
    expect(book.get('file-stream', 'x').state).toBe('idle');
    expect(book.get('terminal', 'y').state).toBe('idle');
    expect(book.get('main').state).toBe('idle');
  });
});
