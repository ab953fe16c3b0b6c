/**
 * Listings of a real server: over the hub they are as its stock REST API gives them.
 */
import { Contents, ContentsManager } from '@jupyterlab/services';
import { mkdirSync, writeFileSync } from 'fs';
import { join } from 'path';

import { ConnectionManager } from '../../connections/manager';
import { eventually, RealServer } from '../../testing/realServer';
import { Listings } from '../listings';

jest.setTimeout(90_000);

let server: RealServer;
let manager: ConnectionManager;
let contents: ContentsManager;
let listings: Listings;
let refreshed: string[];

beforeAll(async () => {
  server = await RealServer.start();
  manager = new ConnectionManager({
    settings: server.settings(),
    version: '',
    available: true
  });
  await manager.connectMain();
  await eventually(
    'the connection stands',
    () => manager.getConnectionStatus('main').state === 'connected'
  );
});

afterAll(async () => {
  manager.dispose();
  await server.stop();
});

beforeEach(() => {
  contents = new ContentsManager({ serverSettings: server.settings() });
  refreshed = [];
  listings = new Listings(manager, contents, path => refreshed.push(path));
});

afterEach(() => listings.dispose());

const sorted = (model: Contents.IModel) => ({
  ...model,
  content: [...(model.content as Contents.IModel[])].sort((a, b) =>
    a.name.localeCompare(b.name)
  )
});

/** A directory with a bit of everything. */
function fill(name: string): void {
  const path = join(server.root, name);
  mkdirSync(join(path, 'sub directory'), { recursive: true });
  writeFileSync(join(path, 'text.txt'), 'text');
  writeFileSync(join(path, 'é 😀.bin'), '');
  writeFileSync(join(path, 'archive.tar.gz'), 'x');
  writeFileSync(join(path, 'no ending'), 'x');
  writeFileSync(join(path, 'note.ipynb'), '{}');
  writeFileSync(join(path, '.hidden'), 'x');
}

describe('A listing of a real server', () => {
  it.each(['', 'all kinds'])('of %p is as the stock one', async path => {
    fill('all kinds');
    const byRest = jest.spyOn(contents.defaultDrive, 'get');
    const ours = await contents.get(path, { content: true });
    expect(byRest).not.toHaveBeenCalled();
    listings.dispose();
    const stock = await contents.get(path, { content: true });
    expect(byRest).toHaveBeenCalledTimes(1);
    expect(sorted(ours)).toEqual(sorted(stock));
    expect(ours.content.length).toBeGreaterThan(0);
  });

  it('is told of changes', async () => {
    fill('changing');
    await contents.get('changing', { content: true });
    await eventually('it is watched', () => refreshed.length > 0);
    refreshed.length = 0;
    writeFileSync(join(server.root, 'changing', 'new.txt'), 'x');
    await eventually('it is told', () => refreshed.includes('changing'));
    const model = await contents.get('changing', { content: true });
    const names = (model.content as Contents.IModel[]).map(({ name }) => name);
    expect(names).toContain('new.txt');
  });

  it('that is not there fails as the stock one', async () => {
    await expect(contents.get('gone', { content: true })).rejects.toMatchObject(
      { response: { status: 404 } }
    );
  });
});
