import { collectDrop, collectFiles, collectHandles, hasFiles } from '../drop';
import {
  directoryEntry,
  directoryHandle,
  dropOf,
  fileEntry,
  fileHandle,
  itemOf
} from '../../testing/fakeDrops';

const named = (name: string) => new File(['x'], name);

describe('A drop', () => {
  it('has files where the browser says so', () => {
    const event = (types: string[]) =>
      ({ dataTransfer: { types } }) as unknown as DragEvent;
    expect(hasFiles(event(['text/plain', 'Files']))).toBe(true);
    expect(hasFiles(event(['text/plain']))).toBe(false);
    expect(hasFiles({ dataTransfer: null } as DragEvent)).toBe(false);
  });

  it('is read while the event lasts: all of it is asked for before anything is awaited', async () => {
    const items = ['a', 'b', 'c'].map(name =>
      itemOf({ entry: fileEntry(name) })
    );
    const data = dropOf(items);
    const collected = collectDrop(data);
    // The browser empties the list when the event is over.
    items.forEach(item => item.expire());
    expect((await collected).items.map(({ path }) => path)).toEqual([
      'a',
      'b',
      'c'
    ]);
  });

  it('has the files of folders, however many, and folders that are empty', async () => {
    const many = Array.from({ length: 250 }, (_, n) => fileEntry(`f${n}`));
    const folder = directoryEntry('top', [
      ...many,
      directoryEntry('empty', []),
      directoryEntry('sub', [fileEntry('deep')])
    ]);
    const { items, failures } = await collectDrop(
      dropOf([itemOf({ entry: folder }), itemOf({ entry: fileEntry('one') })])
    );
    expect(items.length).toBe(253);
    expect(items.filter(({ file }) => file === null)).toEqual([
      { path: 'top/empty', file: null }
    ]);
    const paths = items.map(({ path }) => path);
    expect(new Set(paths).size).toBe(253);
    expect(paths).toEqual(
      expect.arrayContaining(['top/f0', 'top/f249', 'top/sub/deep', 'one'])
    );
    expect(failures).toEqual([]);
  });

  it('keeps the handles that the browser gives: of files, and one for all that is in a folder', async () => {
    const handle = fileHandle('a');
    const folder = directoryHandle('top', [
      fileHandle('b'),
      directoryHandle('e', []),
      directoryHandle('sub', [fileHandle('c')])
    ]);
    const { items } = await collectDrop(
      dropOf([
        itemOf({ entry: fileEntry('a'), handle }),
        itemOf({ entry: directoryEntry('top', []), handle: folder })
      ])
    );
    expect(items.map(one => [one.path, one.handle, one.base])).toEqual([
      ['a', handle, undefined],
      ['top/b', undefined, folder],
      ['top/e', undefined, undefined],
      ['top/sub/c', undefined, folder]
    ]);
    expect(items[0]?.file?.name).toBe('a');
  });

  it('does without a handle that is refused, and without entries', async () => {
    const refused = itemOf({ entry: fileEntry('a'), handle: 'refused' });
    const plain = itemOf({ file: named('b') });
    const text = itemOf({ kind: 'string' });
    const { items } = await collectDrop(dropOf([refused, plain, text]));
    expect(items.map(({ path, handle }) => [path, handle])).toEqual([
      ['a', undefined],
      ['b', undefined]
    ]);
  });

  it('does without a list of items', async () => {
    const { items } = await collectDrop(dropOf([], [named('a'), named('b')]));
    expect(items.map(({ path }) => path)).toEqual(['a', 'b']);
  });

  it('tells what could not be read, and has the rest', async () => {
    const folder = directoryEntry('top', [
      fileEntry('bad', 'NotReadable'),
      fileEntry('good')
    ]);
    const { items, failures } = await collectDrop(
      dropOf([itemOf({ entry: folder })])
    );
    expect(items.map(({ path }) => path)).toEqual(['top/good']);
    expect(failures).toEqual([{ path: 'top/bad', message: 'NotReadable' }]);
    const handles = await collectHandles([
      directoryHandle('top', [fileHandle('bad', 'gone'), fileHandle('good')])
    ]);
    expect(handles.items.map(({ path }) => path)).toEqual(['top/good']);
    expect(handles.failures).toEqual([{ path: 'top/bad', message: 'gone' }]);
  });
});

describe('Files that were chosen', () => {
  it('have their path within the folder that was chosen', async () => {
    const inner = Object.defineProperty(named('b'), 'webkitRelativePath', {
      value: 'top/b'
    });
    const { items } = await collectFiles([named('a'), inner]);
    expect(items.map(({ path }) => path)).toEqual(['a', 'top/b']);
  });
});
