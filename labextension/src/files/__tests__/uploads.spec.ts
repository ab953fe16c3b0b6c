import { nullTranslator } from '@jupyterlab/translation';

import { HubError } from '../../protocol/errors';
import { StubTransfers, transferOf } from '../../testing/stubs';
import { IUploadItem, IUploadResult } from '../../tokens';
import { Decided, IQuestion } from '../conflicts';
import { Uploads } from '../uploads';

const trans = nullTranslator.load('jupyter_ws_hub');
const item = (path: string): IUploadItem => ({
  path,
  file: new File(['x'], path)
});
const found = (...paths: string[]) => ({
  items: paths.map(item),
  failures: []
});
const taken = (path: string) => ({
  path,
  type: 'file' as const,
  size: 1,
  modified: 0,
  etag: 'e'
});

let transfers: StubTransfers;
let uploads: Uploads;
let result: IUploadResult | Error;
let answer: Decided | null;
let questions: IQuestion[];
let refreshed: string[];
let done: Array<[string, string | null]>;
let failed: Array<[string, (() => void) | null]>;

beforeEach(() => {
  transfers = new StubTransfers();
  result = { paths: ['data/a'], failures: [] };
  [questions, refreshed, done, failed] = [[], [], [], []];
  answer = new Map();
  const { upload } = transfers;
  transfers.upload = async (...args) => {
    await upload.apply(transfers, args);
    if (result instanceof Error) {
      throw result;
    }
    return result;
  };
  uploads = new Uploads(transfers, {
    trans,
    notices: {
      done: (...args) => done.push(args),
      failed: (text, again) => failed.push([text, again])
    },
    ask: async question => {
      questions.push(question);
      return answer;
    },
    refresh: directory => refreshed.push(directory)
  });
});

const sent = () =>
  transfers.uploads.map(one => one.items.map(({ path }) => path));

describe('An upload', () => {
  it('asks nothing where no name is taken, and tells of its end once', async () => {
    result = { paths: ['data/a', 'data/b'], failures: [] };
    expect(await uploads.upload(found('a', 'b'), 'data')).toEqual(result);
    expect(sent()).toEqual([['a', 'b']]);
    expect(transfers.uploads[0]?.directory).toBe('data');
    expect([questions, failed, refreshed]).toEqual([[], [], ['data']]);
    expect(done).toEqual([['2 files are uploaded.', 'data/a']]);
  });

  it('shows the folder where a folder was uploaded', async () => {
    result = { paths: ['data/top/x/a', 'data/top/b'], failures: [] };
    await uploads.upload(found('top/x/a', 'top/b'), 'data');
    result = { paths: ['top/a'], failures: [] };
    await uploads.upload(found('top/a'), '');
    expect(done.map(([, path]) => path)).toEqual(['data/top', 'top']);
  });

  it('asks once about all names that are taken, and leaves out what is skipped', async () => {
    transfers.taken = [taken('a'), taken('b')];
    answer = new Map([
      ['a', { ifExists: 'overwrite' as const, etag: 'e' }],
      ['b', { ifExists: 'skip' as const }]
    ]);
    await uploads.upload(found('a', 'b', 'c'), 'data');
    expect(questions.map(one => [one.conflicts.length, one.directory])).toEqual(
      [[2, 'data']]
    );
    expect(sent()).toEqual([['a', 'c']]);
    expect(transfers.uploads[0]?.options?.decided).toBe(answer);
  });

  it('does nothing where the question was closed, or all is skipped', async () => {
    transfers.taken = [taken('a')];
    answer = null;
    expect(await uploads.upload(found('a'), 'data')).toBeNull();
    answer = new Map([['a', { ifExists: 'skip' as const }]]);
    expect(await uploads.upload(found('a'), 'data')).toBeNull();
    expect([sent(), done, failed]).toEqual([[], [], []]);
  });

  it('says in one notice what has failed, and tries that again', async () => {
    result = {
      paths: ['data/a'],
      failures: [
        { path: 'data/b', message: 'No space.' },
        { path: 'c', message: 'No space.' }
      ]
    };
    await uploads.upload(found('a', 'b', 'c'), 'data');
    expect(done).toEqual([]);
    expect(failed.map(([text]) => text)).toEqual([
      '2 files were not uploaded. data/b: No space.'
    ]);
    failed[0]?.[1]?.();
    await new Promise(resolve => setTimeout(resolve));
    expect(sent()).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c']
    ]);
  });

  it('tells what could not be read before', async () => {
    const failures = [{ path: 'bad', message: 'NotReadable' }];
    await uploads.upload({ items: [item('a')], failures }, 'data');
    expect(failed.map(([text, again]) => [text, again])).toEqual([
      ['1 file was not uploaded. bad: NotReadable', null]
    ]);
  });

  it('that cannot begin says why, and can be tried again', async () => {
    result = new Error('There is no connection.');
    expect(await uploads.upload(found('a'), 'data')).toBeNull();
    expect(failed.map(([text]) => text)).toEqual([
      'The upload has failed: There is no connection.'
    ]);
    result = { paths: ['data/a'], failures: [] };
    failed[0]?.[1]?.();
    await new Promise(resolve => setTimeout(resolve));
    expect(done).toEqual([['a is uploaded.', 'data/a']]);
  });

  it('whose files cannot be read at all says so', async () => {
    const broken = Promise.reject(new Error('The folder is gone.'));
    expect(await uploads.upload(broken, 'data')).toBeNull();
    expect(failed).toEqual([
      ['The upload has failed: The folder is gone.', null]
    ]);
  });

  it('is silent where somebody else tells of it, but not of failures', async () => {
    await uploads.upload(found('a'), 'data', { quiet: true });
    expect(done).toEqual([]);
    result = { paths: [], failures: [{ path: 'a', message: 'No.' }] };
    await uploads.upload(found('a'), 'data', { quiet: true });
    expect(failed.length).toBe(1);
  });

  it('that was cancelled needs no telling', async () => {
    result = {
      paths: ['data/a'],
      failures: [{ path: 'b', message: 'data/b was cancelled.' }]
    };
    transfers.transfers = [transferOf({ path: 'data/b', state: 'cancelled' })];
    await uploads.upload(found('a', 'b'), 'data');
    result = HubError.of('cancelled', 'data/b was cancelled.');
    await uploads.upload(found('b'), 'data');
    expect([failed, done.length]).toEqual([[], 1]);
  });

  it('covers what is under its directory, while it is under way', async () => {
    let covered: boolean[] = [];
    const { upload } = transfers;
    transfers.upload = async (...args) => {
      covered = ['data/a', 'data/x/a', 'data', 'database/a', 'a'].map(path =>
        uploads.covers(path)
      );
      return upload.apply(transfers, args);
    };
    await uploads.upload(found('a'), 'data');
    expect(covered).toEqual([true, true, true, false, false]);
    expect(uploads.covers('data/a')).toBe(false);
  });
});
