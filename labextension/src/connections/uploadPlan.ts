/**
 * What an upload comes to: large files each for itself, the small ones and the directories together in a tree.
 */
import { UUID } from '@lumino/coreutils';

import { TREE_FILE_BYTES } from '../protocol/generated';
import { IUploadItem, IUploadOptions } from '../tokens';
import { IRow, IRowEntry } from './transferStore';

/** One operation to come: what is kept of it, and its files in the order of the entries. */
export interface IPlanned {
  readonly row: IRow;
  readonly files: ReadonlyArray<File | null>;
}

/** Divide an upload. What is decided to be skipped is in none. */
export function planUpload(
  items: readonly IUploadItem[],
  directory: string,
  { ifExists = 'rename', decided }: IUploadOptions,
  server: string,
  nowMs: number
): IPlanned[] {
  const common = { server, directory, ifExists, createdMs: nowMs };
  const entryOf = (item: IUploadItem): IRowEntry => {
    const choice = decided?.get(item.path);
    const { path, file, handle, base } = item;
    return {
      path,
      type: file ? 'file' : 'directory',
      size: file?.size ?? 0,
      mtimeMs: file?.lastModified ?? null,
      ...(file && { name: file.name }),
      ...(choice && { ifExists: choice.ifExists }),
      ...(choice?.etag !== undefined && { expect: choice.etag }),
      ...(handle && { handle }),
      ...(base && !handle && { base })
    };
  };
  const wanted = items.filter(
    ({ path }) => decided?.get(path)?.ifExists !== 'skip'
  );
  const alone = wanted.length === 1 && !wanted[0]?.path.includes('/');
  const isLarge = ({ file }: IUploadItem) =>
    file !== null && (alone || file.size > TREE_FILE_BYTES);
  const large = wanted.filter(isLarge);
  const parents = directoriesOf(large);
  const made = new Set(parents);
  const small = wanted.filter(
    item => !isLarge(item) && !(item.file === null && made.has(item.path))
  );
  const planned: IPlanned[] = [];
  let tree: IRow | null = null;
  if (parents.length + small.length > 0) {
    const first = parents.map(path => entryOf({ path, file: null }));
    const entries = [...first, ...small.map(entryOf)];
    tree = { ...common, id: UUID.uuid4(), kind: 'tree', entries };
    const files = [...first.map(() => null), ...small.map(({ file }) => file)];
    planned.push({ row: tree, files });
  }
  for (const item of large) {
    const nested = item.path.includes('/');
    planned.push({
      row: {
        ...{ ...common, id: UUID.uuid4(), kind: 'file' },
        entries: [entryOf(item)],
        ...(tree &&
          nested && { needs: { row: tree.id, entries: parents.length } })
      },
      files: [item.file]
    });
  }
  return planned;
}

/** The directories of large files, parents first: they must be there before. */
function directoriesOf(large: readonly IUploadItem[]): string[] {
  const made = new Set<string>();
  for (const { path } of large) {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, n) => made.add(parts.slice(0, n + 1).join('/')));
  }
  return [...made].sort((a, b) => a.split('/').length - b.split('/').length);
}
