import { entryOf } from '../../testing/fakeListings';
import { toDirectory, toListed, toModel } from '../models';

describe('A model', () => {
  it('has what JupyterLab expects of one without content', () => {
    const entry = entryOf('a/b.txt', { size: 7, writable: false });
    expect(toModel(entry)).toEqual({
      name: 'b.txt',
      path: 'a/b.txt',
      type: 'file',
      writable: false,
      created: entry.created,
      last_modified: entry.last_modified,
      mimetype: 'text/plain',
      size: 7,
      content: null,
      format: null,
      hash: null,
      hash_algorithm: null
    });
  });

  it('of a directory has its content, which is the caller’s own', () => {
    const content = [toModel(entryOf('a/b'))];
    const directory = entryOf('a', {
      type: 'directory',
      size: null,
      mimetype: null
    });
    const model = toDirectory(directory, content);
    expect([model.format, model.size, model.mimetype]).toEqual([
      'json',
      null,
      null
    ]);
    expect(model.content).toEqual(content);
    expect(model.content).not.toBe(content);
  });

  it('that tells of a change counts where it tells enough', () => {
    const model = toModel(entryOf('a/b'));
    expect(toListed({ ...model, content: 'text', format: 'text' })).toEqual(
      model
    );
    expect(toListed({ path: 'a/b' })).toBeNull();
  });
});
