import { fileHandle } from '../../testing/fakeDrops';
import { pickFile, pickFiles, pickFolder } from '../pick';

/** The input that waits for the user. */
const input = () =>
  document.querySelector<HTMLInputElement>('.jp-WsHub-fileInput');

function choose(...files: File[]): void {
  const waiting = input()!;
  Object.defineProperty(waiting, 'files', { value: files });
  waiting.onchange?.(new Event('change'));
}

const set = (name: string, value: unknown) =>
  Object.defineProperty(window, name, { value, configurable: true });

afterEach(() => {
  Reflect.deleteProperty(window, 'showOpenFilePicker');
  Reflect.deleteProperty(window, 'showDirectoryPicker');
});

describe('Choosing', () => {
  it('uses an input where the browser has no handles', async () => {
    const files = pickFiles();
    expect([input()?.multiple, input()?.webkitdirectory]).toEqual([
      true,
      false
    ]);
    choose(new File(['x'], 'a'), new File(['x'], 'b'));
    expect((await files)?.items.map(({ path }) => path)).toEqual(['a', 'b']);
    expect(input()).toBeNull();
    const folder = pickFolder();
    expect(input()?.webkitdirectory).toBe(true);
    input()!.oncancel?.(new Event('cancel'));
    expect([await folder, input()]).toEqual([null, null]);
  });

  it('gives one file where one is wanted', async () => {
    const file = new File(['x'], 'a');
    const one = pickFile();
    expect(input()?.multiple).toBe(false);
    choose(file);
    expect(await one).toBe(file);
    const none = pickFile();
    choose();
    expect(await none).toBeNull();
  });

  it('keeps handles where the browser has them', async () => {
    const handle = fileHandle('a');
    set('showOpenFilePicker', async () => [handle]);
    set('showDirectoryPicker', async () => handle);
    expect((await pickFiles())?.items[0]?.handle).toBe(handle);
    expect((await pickFolder())?.items[0]?.handle).toBe(handle);
  });

  it('ends where the dialog was closed, and fails where it cannot be shown', async () => {
    const refuse = (error: Error) =>
      set('showOpenFilePicker', () => Promise.reject(error));
    refuse(new DOMException('closed', 'AbortError'));
    expect(await pickFiles()).toBeNull();
    refuse(new DOMException('no click', 'SecurityError'));
    await expect(pickFiles()).rejects.toThrow('no click');
  });
});
