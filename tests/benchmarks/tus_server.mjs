// The tus server that uploads are compared with: node tus_server.mjs PACKAGES PORT FOLDER
// PACKAGES is a folder in which `npm install @tus/server @tus/file-store` was done.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, port, directory] = process.argv.slice(2);
const { resolve } = createRequire(join(packages, 'package.json'));
const load = async name => import(pathToFileURL(resolve(name)).href);
const { Server } = await load('@tus/server');
const { FileStore } = await load('@tus/file-store');

const server = new Server({ path: '/files', datastore: new FileStore({ directory }) });
server.listen({ host: '127.0.0.1', port: Number(port) });
