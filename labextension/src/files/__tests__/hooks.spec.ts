import { IDocumentManager } from '@jupyterlab/docmanager';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import {
  FileBrowser,
  FilterFileBrowserModel,
  Uploader
} from '@jupyterlab/filebrowser';
import { Contents } from '@jupyterlab/services';
import { ServiceManagerMock } from '@jupyterlab/services/lib/testutils';
import { Widget } from '@lumino/widgets';

import { dropOf, fileEntry, itemOf } from '../../testing/fakeDrops';
import { IUploadResult } from '../../tokens';
import { ICollected } from '../drop';
import { BrowserHooks } from '../hooks';

interface ISent {
  paths: string[];
  directory: string;
  quiet: boolean | undefined;
}

let browser: FileBrowser;
let uploader: Uploader;
let hooks: BrowserHooks;
let enabled: boolean;
let tellsUploads: boolean;
let pick: (() => Promise<ICollected | null>) | null;
let sent: ISent[];
let downloaded: string[];
let stockUploads: string[];
let stockDownloads: string[];
let result: IUploadResult | null;
let directory: Contents.IModel;
let file: Contents.IModel;

const settled = () => new Promise(resolve => setTimeout(resolve, 20));

beforeEach(async () => {
  [enabled, tellsUploads, pick, result] = [true, false, null, null];
  [sent, downloaded, stockUploads, stockDownloads] = [[], [], [], []];
  const services = new ServiceManagerMock();
  await services.ready;
  directory = await services.contents.newUntitled({ type: 'directory' });
  file = await services.contents.newUntitled({ type: 'file' });
  const activateRequested = { connect: () => true };
  const registry = new DocumentRegistry();
  const manager = { services, registry, activateRequested };
  const model = new FilterFileBrowserModel({
    manager: manager as unknown as IDocumentManager,
    auto: false
  });
  model.upload = async ({ name }) => {
    stockUploads.push(name);
    return file;
  };
  model.download = async path => void stockDownloads.push(path);
  browser = new FileBrowser({ id: 'browser', model, restore: false });
  uploader = new Uploader({ model });
  browser.toolbar.addItem('uploader', uploader);
  Widget.attach(browser, document.body);
  await model.cd();
  await settled();
  hooks = new BrowserHooks(browser, {
    enabled: () => enabled,
    upload: async (collected, into, wishes) => {
      const paths = (await collected).items.map(({ path }) => path);
      sent.push({ paths, directory: into, quiet: wishes?.quiet });
      return result;
    },
    download: async path => void downloaded.push(path),
    tellsUploads: () => tellsUploads,
    get pick() {
      return pick;
    }
  });
});

afterEach(() => browser.dispose());

const content = () => browser.node.querySelector('.jp-DirListing-content')!;
const row = (name: string) =>
  [...browser.node.querySelectorAll('.jp-DirListing-item')].find(one =>
    one.textContent?.includes(name)
  )!;

function drag(type: string, target: Element, types = ['Files']): Event {
  const event = new Event(type, { bubbles: true, cancelable: true });
  const data = dropOf([itemOf({ entry: fileEntry('dropped') })]);
  Object.defineProperty(event, 'dataTransfer', { value: { ...data, types } });
  target.dispatchEvent(event);
  return event;
}

async function drop(target: Element, types?: string[]): Promise<Event> {
  const event = drag('drop', target, types);
  await settled();
  return event;
}

describe('A drop on the file browser', () => {
  it('goes into the directory that is shown, and the stock code sees nothing of it', async () => {
    const event = await drop(content());
    expect(sent).toMatchObject([{ paths: ['dropped'], directory: '' }]);
    expect([event.defaultPrevented, stockUploads]).toEqual([true, []]);
  });

  it('goes into the folder on whose row it fell, not into a file', async () => {
    await drop(row(directory.name));
    await drop(row(file.name));
    expect(sent.map(one => one.directory)).toEqual([directory.path, '']);
  });

  it('beside the listing goes into the directory that is shown', async () => {
    const over = drag('dragover', browser.toolbar.node);
    await drop(browser.toolbar.node);
    expect([over.defaultPrevented, sent.length]).toEqual([true, 1]);
  });

  it('marks its folder while it is over it, and nothing afterwards', async () => {
    const marked = () =>
      [...browser.node.querySelectorAll('.jp-mod-dropTarget')].length;
    drag('dragover', row(directory.name));
    expect(marked()).toBe(1);
    drag('dragover', row(file.name));
    expect(marked()).toBe(0);
    drag('dragover', row(directory.name));
    await drop(row(directory.name));
    expect(marked()).toBe(0);
    expect(browser.node.querySelector('.jp-mod-native-drop')).toBeNull();
  });

  it.each<[string, () => void]>([
    ['the streams are switched off', () => (enabled = false)],
    ['the hooks are gone', () => hooks.dispose()],
    [
      'another drive is shown',
      () => (browser.model.manager.services.contents.driveName = () => 'GitHub')
    ]
  ])('goes the stock way where %s', async (_, prepare) => {
    prepare();
    await drop(content());
    expect([sent, stockUploads]).toEqual([[], ['dropped']]);
  });

  it('is refused, as by the stock code, where uploads are not allowed', async () => {
    browser.allowFileUploads = false;
    await drop(content());
    browser.allowFileUploads = true;
    (
      browser as unknown as {
        listing: { setAllowDragDropUpload(is: boolean): void };
      }
    ).listing.setAllowDragDropUpload(false);
    await drop(content());
    expect([sent, stockUploads]).toEqual([[], []]);
  });

  it('that has no files, or is one of JupyterLab itself, is left alone', async () => {
    await drop(content(), ['text/plain']);
    await drop(browser.toolbar.node, ['text/plain']);
    const own = new Event('lm-drop', { bubbles: true, cancelable: true });
    Object.defineProperties(own, {
      mimeData: { value: { hasData: () => false } },
      proposedAction: { value: 'none' }
    });
    content().dispatchEvent(own);
    await settled();
    expect(sent).toEqual([]);
    expect(own.defaultPrevented).toBe(true);
  });
});

describe('The upload button', () => {
  const input = () =>
    (uploader as unknown as { _input: HTMLInputElement })._input;

  function press(): void {
    // As a browser does it: the events come before the button's own handler.
    uploader.node.dispatchEvent(new Event('mousedown', { bubbles: true }));
  }

  function choose(...names: string[]): void {
    const files = names.map(name => new File(['x'], name));
    Object.defineProperty(input(), 'files', {
      value: files,
      configurable: true
    });
    input().dispatchEvent(new Event('change'));
  }

  it('uploads what was chosen', async () => {
    press();
    press();
    choose('a', 'b');
    await settled();
    expect(sent).toMatchObject([{ paths: ['a', 'b'], directory: '' }]);
    expect(stockUploads).toEqual([]);
  });

  it.each<[string, () => void]>([
    ['the streams are switched off', () => (enabled = false)],
    ['the hooks are gone', () => hooks.dispose()]
  ])('goes the stock way where %s', async (_, prepare) => {
    press();
    prepare();
    choose('a');
    await settled();
    expect([sent, stockUploads]).toEqual([[], ['a']]);
  });

  it('opens the dialog that gives handles where there is one', async () => {
    let closed = true;
    const found = { items: [{ path: 'h', file: null }], failures: [] };
    pick = async () => (closed ? null : found);
    press();
    input().click();
    closed = false;
    input().click();
    await settled();
    expect(sent.map(({ paths }) => paths)).toEqual([['h']]);
  });

  it('tells JupyterLab of one file, which opens it or tells of it', async () => {
    tellsUploads = true;
    result = { paths: [file.path], failures: [] };
    const told: string[][] = [];
    uploader.filesUploaded.connect((_, models) =>
      told.push(models.map(({ path }) => path))
    );
    press();
    choose('a');
    await settled();
    expect([sent[0]?.quiet, told]).toEqual([true, [[file.path]]]);
  });

  it('leaves telling to us where there are more, or nobody listens', async () => {
    const told: unknown[] = [];
    uploader.filesUploaded.connect((_, models) => told.push(models));
    result = { paths: [file.path], failures: [] };
    press();
    choose('a');
    await settled();
    tellsUploads = true;
    choose('a', 'b');
    await settled();
    expect([sent.map(({ quiet }) => quiet), told]).toEqual([
      [false, false],
      []
    ]);
  });
});

describe('Downloads', () => {
  const select = (...models: Contents.IModel[]) => {
    jest
      .spyOn(browser, 'selectedItems')
      .mockImplementation(() => models[Symbol.iterator]());
    const { listing } = browser as unknown as {
      listing: { selectedItems: () => Iterator<Contents.IModel> };
    };
    listing.selectedItems = () => models[Symbol.iterator]();
  };

  it('of files and folders go over streams', async () => {
    select(file, directory);
    await browser.download();
    expect([downloaded, stockDownloads]).toEqual([
      [file.path, directory.path],
      []
    ]);
  });

  it.each<[string, () => void]>([
    ['the streams are switched off', () => (enabled = false)],
    ['the hooks are gone', () => hooks.dispose()],
    [
      'another drive holds them',
      () => (browser.model.manager.services.contents.driveName = () => 'GitHub')
    ]
  ])('go the stock way where %s', async (_, prepare) => {
    prepare();
    select(file);
    await browser.download();
    expect([downloaded, stockDownloads]).toEqual([[], [file.path]]);
  });
});
