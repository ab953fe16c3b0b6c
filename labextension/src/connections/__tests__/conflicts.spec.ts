import { IConnectionManager, IUploadItem } from '../../tokens';
import { findConflicts } from '../conflicts';

/** A directory on the server: each name's type. */
function serverWith(taken: Record<string, 'file' | 'directory'>) {
  const asked: string[][] = [];
  const request = async (_: string, params: { names: string[] }) => {
    asked.push(params.names);
    const existing = params.names
      .filter(name => name in taken)
      .map(name => ({
        ...{ name, type: taken[name], size: 5, mtime_ms: 7, etag: 'e' }
      }));
    return { existing };
  };
  return { asked, connections: { request } as unknown as IConnectionManager };
}

const file = (path: string): IUploadItem => ({ path, file: new File([], 'x') });

describe('The conflicts of an upload', () => {
  it('are the files that are there, also in folders that are there', async () => {
    const { connections } = serverWith({
      ...{ a: 'file', f: 'directory', 'f/b': 'file', 'f/d': 'directory' }
    });
    const items = [
      file('a'),
      file('new'),
      file('f/b'),
      file('f/c'),
      file('f/d'),
      { path: 'f', file: null }
    ];
    const found = await findConflicts(connections, items, 'd');
    expect(found.map(({ path, type }) => [path, type])).toEqual([
      ['a', 'file'],
      ['f/b', 'file'],
      ['f/d', 'directory']
    ]);
    expect(found[0]).toEqual({
      ...{ path: 'a', type: 'file', size: 5, modified: 7, etag: 'e' }
    });
  });

  it('are asked for a thousand at a time, and not where the folder is new', async () => {
    const { asked, connections } = serverWith({ f: 'directory' });
    const of = (top: string) =>
      Array.from({ length: 2500 }, (_, n) => file(`${top}/${n}`));
    await findConflicts(connections, [...of('f'), ...of('new')], '');
    expect(asked.map(({ length }) => length)).toEqual([2, 1000, 1000, 500]);
  });
});
