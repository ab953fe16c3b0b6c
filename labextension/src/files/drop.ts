/**
 * What is dropped on the page, or chosen in a dialog of the browser, as a list of files and directories to upload.
 */
import { IUploadItem } from '../tokens';

/** What was found, and what could not be read. */
export interface ICollected {
  readonly items: readonly IUploadItem[];
  readonly failures: readonly { path: string; message: string }[];
}

/** Files that are opened at a time within one directory. */
const AT_A_TIME = 64;

interface IMutableCollected {
  items: IUploadItem[];
  failures: { path: string; message: string }[];
}

interface IFound {
  entry: FileSystemEntry | null;
  handle: Promise<FileSystemHandle | null> | null;
  file: File | null;
}

/** The newer parts of the File System API, which not every browser has. */
interface IHandleItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

interface IListable {
  values(): AsyncIterable<FileSystemHandle>;
}

/** Whether something from outside of the page is dragged that has files. */
export function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

/**
 * Collect what was dropped. The list is emptied when the event is over: everything is asked of it before this returns,
 * and read later.
 */
export function collectDrop(data: DataTransfer): Promise<ICollected> {
  const found = [...(data.items ?? [])]
    .filter(item => item.kind === 'file')
    .map(find);
  return found.length > 0 ? readAll(found) : collectFiles([...data.files]);
}

/** Files that were chosen; those of a directory have their path within it. */
export async function collectFiles(
  files: readonly File[]
): Promise<ICollected> {
  const items = files.map(file => ({
    path: file.webkitRelativePath || file.name,
    file
  }));
  return { items, failures: [] };
}

/** Files and directories that were chosen where the browser gives handles: so uploads go on after a reload. */
export async function collectHandles(
  handles: readonly FileSystemHandle[]
): Promise<ICollected> {
  const collected: IMutableCollected = { items: [], failures: [] };
  for (const handle of handles) {
    await readHandle(handle, handle.name, collected);
  }
  return collected;
}

function find(item: DataTransferItem): IFound {
  const { getAsFileSystemHandle } = item as IHandleItem;
  return {
    entry: item.webkitGetAsEntry?.() ?? null,
    // It is refused for what is no file of a disk; then the entry serves.
    handle: getAsFileSystemHandle?.call(item).catch(() => null) ?? null,
    file: item.getAsFile()
  };
}

async function readAll(found: readonly IFound[]): Promise<ICollected> {
  const collected: IMutableCollected = { items: [], failures: [] };
  for (const { entry, handle, file } of found) {
    const known = await handle;
    if (known) {
      await readHandle(known, known.name, collected);
    } else if (entry) {
      await readEntry(entry, entry.name, collected);
    } else if (file) {
      collected.items.push({ path: file.name, file });
    }
  }
  return collected;
}

async function readHandle(
  handle: FileSystemHandle,
  path: string,
  into: IMutableCollected
): Promise<void> {
  await guarded(path, into, async () => {
    if (handle.kind === 'file') {
      const known = handle as FileSystemFileHandle;
      into.items.push({ path, file: await known.getFile(), handle: known });
      return;
    }
    const base = handle as FileSystemDirectoryHandle;
    await readWithin(base, base, path, into);
  });
}

/** One handle, of the directory that was dropped, serves for all that is in it. */
async function readWithin(
  base: FileSystemDirectoryHandle,
  directory: FileSystemHandle,
  path: string,
  into: IMutableCollected
): Promise<void> {
  const children: FileSystemHandle[] = [];
  for await (const child of (directory as unknown as IListable).values()) {
    children.push(child);
  }
  const isFile = (one: FileSystemHandle) => one.kind === 'file';
  await readChildren(children, isFile, path, into, (child, at) =>
    guarded(at, into, async () => {
      if (isFile(child)) {
        const file = await (child as FileSystemFileHandle).getFile();
        into.items.push({ path: at, file, base });
      } else {
        await readWithin(base, child, at, into);
      }
    })
  );
}

async function readEntry(
  entry: FileSystemEntry,
  path: string,
  into: IMutableCollected
): Promise<void> {
  await guarded(path, into, async () => {
    if (entry.isFile) {
      const known = entry as FileSystemFileEntry;
      const file = await new Promise<File>((resolve, reject) =>
        known.file(resolve, reject)
      );
      into.items.push({ path, file });
      return;
    }
    const children = await entries(entry as FileSystemDirectoryEntry);
    await readChildren(children, one => one.isFile, path, into, readEntry);
  });
}

/** Chromium gives a hundred at a time: all are there when none come. */
async function entries(
  directory: FileSystemDirectoryEntry
): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (some.length === 0) {
      return all;
    }
    all.push(...some);
  }
}

async function readChildren<T extends { readonly name: string }>(
  children: readonly T[],
  isFile: (child: T) => boolean,
  path: string,
  into: IMutableCollected,
  read: (child: T, path: string, into: IMutableCollected) => Promise<void>
): Promise<void> {
  if (children.length === 0) {
    into.items.push({ path, file: null });
  }
  const files = children.filter(isFile);
  for (let start = 0; start < files.length; start += AT_A_TIME) {
    const some = files.slice(start, start + AT_A_TIME);
    await Promise.all(
      some.map(child => read(child, `${path}/${child.name}`, into))
    );
  }
  for (const child of children.filter(one => !isFile(one))) {
    await read(child, `${path}/${child.name}`, into);
  }
}

async function guarded(
  path: string,
  into: IMutableCollected,
  read: () => Promise<void>
): Promise<void> {
  try {
    await read();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    into.failures.push({ path, message });
  }
}
