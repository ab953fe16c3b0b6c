/**
 * Which names of an upload are taken.
 */
import { Occupied } from '../protocol/generated';
import { IConnectionManager, IUploadConflict, IUploadItem } from '../tokens';

/** So many names are asked for at a time. */
const NAMES = 1000;

type Request = Pick<IConnectionManager, 'request'>;

/** Ask the server; a directory that is to go where there is one is no conflict. */
export async function findConflicts(
  connections: Request,
  items: readonly IUploadItem[],
  directory: string
): Promise<IUploadConflict[]> {
  const first = [...new Set(items.map(({ path }) => top(path)))];
  const taken = new Map<string, Occupied>();
  const ask = async (names: readonly string[]) => {
    for (let at = 0; at < names.length; at += NAMES) {
      const { existing } = await connections.request('transfers.check', {
        path: directory,
        names: names.slice(at, at + NAMES)
      });
      existing.forEach(one => taken.set(one.name, one));
    }
  };
  await ask(first);
  // What is in a folder that is not there yet can meet nothing.
  await ask(
    items
      .map(({ path }) => path)
      .filter(path => path.includes('/') && taken.has(top(path)))
  );
  return items.flatMap(({ path, file }) => {
    const one = taken.get(path);
    return !one || (file === null && one.type === 'directory')
      ? []
      : {
          ...{ path, type: one.type, size: one.size },
          ...{ modified: one.mtime_ms, etag: one.etag }
        };
  });
}

function top(path: string): string {
  return path.split('/')[0] ?? path;
}
