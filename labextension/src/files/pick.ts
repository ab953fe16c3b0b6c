/**
 * The browser's own dialogs for files and folders: with handles where it has them, so that uploads go on after a
 * reload; else the classic input.
 */
import { collectFiles, collectHandles, ICollected } from './drop';

interface IPickers {
  showOpenFilePicker?(options: {
    multiple: boolean;
  }): Promise<FileSystemFileHandle[]>;
  showDirectoryPicker?(): Promise<FileSystemDirectoryHandle>;
}

/** Let the user choose files; null if the dialog was closed. Must be called by a click. */
export async function pickFiles(): Promise<ICollected | null> {
  const { showOpenFilePicker } = window as IPickers;
  if (!showOpenFilePicker) {
    return pickByInput(false);
  }
  return unlessClosed(async () =>
    collectHandles(await showOpenFilePicker.call(window, { multiple: true }))
  );
}

/** Let the user choose a folder; null if the dialog was closed. Must be called by a click. */
export async function pickFolder(): Promise<ICollected | null> {
  const { showDirectoryPicker } = window as IPickers;
  if (!showDirectoryPicker) {
    return pickByInput(true);
  }
  return unlessClosed(async () =>
    collectHandles([await showDirectoryPicker.call(window)])
  );
}

/** Let the user choose one file; null if the dialog was closed. Must be called by a click. */
export async function pickFile(): Promise<File | null> {
  const { items } = (await pickByInput(false, false)) ?? { items: [] };
  return items[0]?.file ?? null;
}

async function unlessClosed(
  pick: () => Promise<ICollected>
): Promise<ICollected | null> {
  try {
    return await pick();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      return null;
    }
    throw error;
  }
}

function pickByInput(
  folder: boolean,
  multiple = true
): Promise<ICollected | null> {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = multiple;
  input.webkitdirectory = folder;
  input.hidden = true;
  input.className = 'jp-WsHub-fileInput';
  document.body.append(input);
  return new Promise<ICollected | null>(resolve => {
    input.onchange = () => {
      const files = [...(input.files ?? [])];
      resolve(files.length > 0 ? collectFiles(files) : null);
    };
    input.oncancel = () => resolve(null);
    input.click();
  }).finally(() => input.remove());
}
