/**
 * What a browser gives of files that are dropped on a page.
 */

/** A file's entry; `failure` is why it cannot be read. */
export function fileEntry(name: string, failure?: string): FileSystemEntry {
  return {
    name,
    isFile: true,
    isDirectory: false,
    file: (resolve: (file: File) => void, reject: (error: Error) => void) =>
      failure ? reject(new Error(failure)) : resolve(new File(['x'], name))
  } as unknown as FileSystemEntry;
}

/** As Chromium gives them: at most a hundred at a time. */
const AT_A_TIME = 100;

/** A directory's entry. */
export function directoryEntry(
  name: string,
  children: readonly FileSystemEntry[]
): FileSystemEntry {
  const createReader = () => {
    const rest = [...children];
    return {
      readEntries: (resolve: (some: FileSystemEntry[]) => void) =>
        resolve(rest.splice(0, AT_A_TIME))
    };
  };
  const entry = { name, isFile: false, isDirectory: true, createReader };
  return entry as unknown as FileSystemEntry;
}

/** A file's handle; `failure` is why it cannot be read. */
export function fileHandle(
  name: string,
  failure?: string
): FileSystemFileHandle {
  const getFile = async () => {
    if (failure) {
      throw new Error(failure);
    }
    return new File(['x'], name);
  };
  return { kind: 'file', name, getFile } as unknown as FileSystemFileHandle;
}

/** A directory's handle. */
export function directoryHandle(
  name: string,
  children: readonly FileSystemHandle[]
): FileSystemDirectoryHandle {
  async function* values() {
    yield* children;
  }
  const handle = { kind: 'directory', name, values };
  return handle as unknown as FileSystemDirectoryHandle;
}

/** An item of a drop, which gives nothing more once the event is over. */
export interface IFakeItem extends DataTransferItem {
  expire(): void;
}

/** An item of a drop; a `handle` that is refused rejects, and without one the browser has no handles. */
export function itemOf(has: {
  kind?: string;
  entry?: FileSystemEntry;
  handle?: FileSystemHandle | 'refused';
  file?: File;
}): IFakeItem {
  let expired = false;
  const { kind = 'file', entry = null, handle, file = null } = has;
  const given = <T>(value: T): T | null => (expired ? null : value);
  const item = {
    kind,
    type: '',
    expire: () => void (expired = true),
    webkitGetAsEntry: () => given(entry),
    getAsFile: () => given(file),
    ...(handle && {
      getAsFileSystemHandle: async () => {
        if (handle === 'refused') {
          throw new Error('not allowed');
        }
        return given(handle);
      }
    })
  };
  return item as unknown as IFakeItem;
}

/** What a drop carries. */
export function dropOf(
  items: readonly DataTransferItem[],
  files: readonly File[] = []
): DataTransfer {
  const data = { items, files, types: ['Files'], dropEffect: 'none' };
  return data as unknown as DataTransfer;
}
