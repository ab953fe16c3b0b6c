import { FakeDirectory, giveStorage } from '../../testing/fakeHandles';
import {
  canKeep,
  DownloadParts,
  keptBytes,
  PART_BYTES,
  removeParts,
  sweepParts
} from '../downloadParts';

let root: FakeDirectory;

beforeEach(() => giveStorage((root = new FakeDirectory())));

afterEach(() => {
  Reflect.deleteProperty(navigator, 'storage');
  jest.restoreAllMocks();
});

/** Parts of four bytes, of a download of ten. */
const open = (size = 10) => DownloadParts.open('one', size, 4);
const blob = (text: string) => new Blob([text]);
const names = async () => [
  ...(
    await root.getDirectoryHandle('jupyter-ws-hub-downloads')
  ).directories.keys()
];

async function all(parts: DownloadParts): Promise<string> {
  let text = '';
  while (text.length < parts.kept) {
    text += await (await parts.from(text.length)).text();
  }
  return text;
}

describe('The parts of a download', () => {
  it('are kept when they are whole, however the bytes come', async () => {
    const parts = await open();
    await parts.write(blob('abc'));
    expect(parts.kept).toBe(0);
    await parts.write(blob('defghi'));
    expect(parts.kept).toBe(8);
    await parts.write(blob('j'));
    expect([parts.kept, await all(parts)]).toEqual([10, 'abcdefghij']);
    expect(await (await parts.from(5)).text()).toBe('fgh');
  });

  it('are found again, without one that was not whole', async () => {
    const before = await open();
    await before.write(blob('abcdef'));
    const parts = await open();
    expect(parts.kept).toBe(4);
    await parts.write(blob('efghij'));
    expect(await all(await open())).toBe('abcdefghij');
  });

  it('let go of what is not whole', async () => {
    const parts = await open();
    await parts.write(blob('abcdef'));
    await parts.close();
    await parts.write(blob('efgh'));
    expect([parts.kept, await all(parts)]).toEqual([8, 'abcdefgh']);
  });

  it('are removed, once or more often', async () => {
    await (await open()).write(blob('abcd'));
    await removeParts('one');
    await removeParts('one');
    expect(await keptBytes('one', 10)).toBe(0);
  });

  it('of which nobody knows are removed', async () => {
    await DownloadParts.open('known', 10);
    await DownloadParts.open('left', 10);
    await sweepParts(async () => null);
    expect(await names()).toEqual(['known', 'left']);
    await sweepParts(async () => new Set(['known']));
    expect(await names()).toEqual(['known']);
  });

  it('are made of large downloads for which there is room', async () => {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(await canKeep(PART_BYTES)).toBe(false);
    expect(await canKeep(PART_BYTES + 1)).toBe(true);
    giveStorage(root, PART_BYTES);
    expect(await canKeep(PART_BYTES + 1)).toBe(false);
    Reflect.deleteProperty(navigator, 'storage');
    expect(await canKeep(PART_BYTES + 1)).toBe(false);
  });
});
