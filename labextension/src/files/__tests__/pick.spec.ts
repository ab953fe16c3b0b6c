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

  it('ends where the dialog was closed', async () => {
    const closed = () =>
      Promise.reject(new DOMException('closed', 'AbortError'));
    set('showOpenFilePicker', closed);
    set('showDirectoryPicker', closed);
    expect([await pickFiles(), await pickFolder()]).toEqual([null, null]);
    expect(input()).toBeNull();
  });

  it('uses an input where the dialog is refused, as in a frame of another origin', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const refused = () =>
      Promise.reject(new DOMException('a frame', 'SecurityError'));
    set('showOpenFilePicker', refused);
    set('showDirectoryPicker', refused);
    for (const pick of [pickFiles, pickFolder]) {
      const picked = pick();
      await new Promise(resolve => setTimeout(resolve));
      expect(input()?.webkitdirectory).toBe(pick === pickFolder);
      choose(new File(['x'], 'a'));
      expect((await picked)?.items.map(({ path }) => path)).toEqual(['a']);
    }
  });
});
