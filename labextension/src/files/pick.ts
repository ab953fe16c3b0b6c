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
  return pick(
    false,
    showOpenFilePicker &&
      (() => showOpenFilePicker.call(window, { multiple: true }))
  );
}

/** Let the user choose a folder; null if the dialog was closed. Must be called by a click. */
export async function pickFolder(): Promise<ICollected | null> {
  const { showDirectoryPicker } = window as IPickers;
  return pick(
    true,
    showDirectoryPicker &&
      (async () => [await showDirectoryPicker.call(window)])
  );
}

/** Let the user choose one file; null if the dialog was closed. Must be called by a click. */
export async function pickFile(): Promise<File | null> {
  const { items } = (await pickByInput(false, false)) ?? { items: [] };
  return items[0]?.file ?? null;
}

async function pick(
  folder: boolean,
  show: (() => Promise<FileSystemHandle[]>) | undefined
): Promise<ICollected | null> {
  if (!show) {
    return pickByInput(folder);
  }
  let handles: FileSystemHandle[];
  try {
    handles = await show();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') {
      return null;
    }
    // As in a frame of another origin: an input works there too, and the click still counts for it.
    console.warn('The dialog that gives handles is refused here.', error);
    return pickByInput(folder);
  }
  return collectHandles(handles);
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
