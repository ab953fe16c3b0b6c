import { TransferStatus } from '../../protocol/generated';
import { IConnectionManager, ISubscriber } from '../../tokens';
import { TransferList } from '../transferList';
import { TransferRecord } from '../transferRecord';

const status = (op: string): TransferStatus => ({
  op,
  direction: 'upload',
  path: 'a.bin',
  size: 10,
  byte_offset: 0,
  state: 'waiting',
  error: null,
  gone: false,
  kind: 'file',
  entries: 0,
  settled: 0,
  failed: 0,
  warning: null,
  created_ms: 0
});

const recordOf = () =>
  new TransferRecord({
    ...{ id: 'mine', op: null, direction: 'upload', kind: 'file' },
    ...{ path: 'a.bin', here: true }
  });

describe('The list of transfers', () => {
  let list: TransferList;
  let tell: (op: string) => void;

  beforeEach(() => {
    list = new TransferList({
      onChange: () => undefined,
      onEnd: () => undefined,
      onDriven: () => undefined
    });
    const subscribe = (_: string, subscriber: ISubscriber<'transfers/me'>) => {
      tell = op =>
        subscriber.onEvent({
          ...{ kind: 'transfer', data: status(op) },
          ...{ id: '1', time: 0, offset: null }
        });
      return { isDisposed: false, dispose: () => undefined };
    };
    list.follow({ subscribe } as unknown as IConnectionManager);
  });

  const shown = () => list.records.map(({ id, op }) => [id, op]);

  it('never shows what this tab is making as somebody else’s', async () => {
    const record = list.add(recordOf());
    let answer: (created: { op: string }) => void = () => undefined;
    const made = list.make(
      record,
      () => new Promise<{ op: string }>(r => (answer = r))
    );
    tell('op1');
    expect(shown()).toEqual([['mine', null]]);
    answer({ op: 'op1' });
    await made;
    expect(shown()).toEqual([['mine', 'op1']]);
  });

  it('shows what others have begun meanwhile, also if the making fails', async () => {
    const record = list.add(recordOf());
    let fail: (error: Error) => void = () => undefined;
    const made = list.make(
      record,
      () => new Promise<{ op: string }>((_, r) => (fail = r))
    );
    tell('theirs');
    expect(shown()).toEqual([['mine', null]]);
    fail(new Error('No.'));
    await expect(made).rejects.toThrow('No.');
    expect(shown()).toEqual([
      ['mine', null],
      ['theirs', 'theirs']
    ]);
  });

  it('shows what others begin at once', () => {
    tell('theirs');
    expect(shown()).toEqual([['theirs', 'theirs']]);
  });
});
