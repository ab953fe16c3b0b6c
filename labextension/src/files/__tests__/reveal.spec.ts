import { JupyterFrontEnd } from '@jupyterlab/application';
import { FileBrowser } from '@jupyterlab/filebrowser';

import { reveal } from '../reveal';

describe('Showing where a file is', () => {
  it.each([
    ['a/b/c', ['show browser', 'cd /a/b', 'select c']],
    ['c', ['show browser', 'cd /', 'select c']],
    ['', ['show browser', 'cd /']]
  ])('opens its directory: %p', async (path, expected) => {
    const done: string[] = [];
    const shell = { activateById: (id: string) => done.push(`show ${id}`) };
    const browser = {
      id: 'browser',
      model: {
        cd: async (directory: string) => done.push(`cd ${directory}`)
      },
      selectItemByName: async (name: string) => done.push(`select ${name}`)
    };
    await reveal(
      shell as unknown as JupyterFrontEnd.IShell,
      browser as unknown as FileBrowser,
      path
    );
    expect(done).toEqual(expected);
  });
});
