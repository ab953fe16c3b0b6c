/**
 * Files that the browser can find again after the page was loaded anew: handles, and the permission to read them.
 */
import { IRow, IRowEntry } from './transferStore';

/** What TypeScript's library does not know of handles yet. */
interface IMode {
  mode: 'read' | 'readwrite';
}
interface IPermission {
  queryPermission?(descriptor: IMode): Promise<PermissionState>;
  requestPermission?(descriptor: IMode): Promise<PermissionState>;
}

/** Handles that are resolved at the same time. */
const AT_A_TIME = 32;

/** Whether every file of an upload can be found again. */
export function hasHandles({ entries }: IRow): boolean {
  return entries.every(
    ({ type, handle, base }) => type === 'directory' || handle || base
  );
}

/** The permission to read all files of an upload; `ask`: a person has clicked, so the browser may ask. */
export async function permission(
  row: IRow,
  ask: boolean
): Promise<PermissionState> {
  const handles = new Set<IPermission & FileSystemHandle>(
    row.entries.flatMap(({ base, handle }) => base ?? handle ?? [])
  );
  for (const handle of handles) {
    const state = ask
      ? await handle.requestPermission?.({ mode: 'read' })
      : await handle.queryPermission?.({ mode: 'read' });
    if (state !== undefined && state !== 'granted') {
      return state;
    }
  }
  return 'granted';
}

/** Whether a file may be written; `ask`: a person has clicked, so the browser may ask. */
export async function mayWrite(
  handle: FileSystemFileHandle,
  ask: boolean
): Promise<boolean> {
  const known = handle as IPermission;
  const mode = { mode: 'readwrite' } as const;
  const state = ask
    ? await known.requestPermission?.(mode)
    : await known.queryPermission?.(mode);
  return state === undefined || state === 'granted';
}

/** The files of an upload in order; null for a directory and for one that is not there any more. */
export async function findFiles({
  entries
}: IRow): Promise<Array<File | null>> {
  const files: Array<File | null> = entries.map(() => null);
  const directories = new Map<string, Promise<FileSystemDirectoryHandle>>();
  let next = 0;
  const work = async () => {
    while (next < entries.length) {
      const n = next++;
      files[n] = await findFile(entries[n]!, directories);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return files;
}

async function findFile(
  { type, path, handle, base }: IRowEntry,
  directories: Map<string, Promise<FileSystemDirectoryHandle>>
): Promise<File | null> {
  if (type === 'directory') {
    return null;
  }
  try {
    if (handle) {
      return await handle.getFile();
    }
    if (!base) {
      return null;
    }
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    let at = parts[0] ?? '';
    let directory = Promise.resolve(base);
    for (const part of parts.slice(1)) {
      at += `/${part}`;
      const parent = directory;
      directory =
        directories.get(at) ?? parent.then(one => one.getDirectoryHandle(part));
      directories.set(at, directory);
    }
    return await (await (await directory).getFileHandle(name)).getFile();
  } catch (error) {
    // Removed, renamed or not readable: it is announced as missing, and told at the end.
    return null;
  }
}
