/**
 * The plugin list, and what other extensions may import.
 */
import { chat } from './chat/plugin';
import { connectionManager, transferManager } from './connections/plugin';
import { files, listings } from './files/plugin';
import { connectionLost } from './panel/connectionLost';
import { panel } from './panel/plugin';
import { terminalManager, terminalScreens } from './terminals/plugin';

export { HubError } from './protocol/errors';
// Types only, and all of them: so `declare module 'jupyter-ws-hub'` reaches the interfaces that others add to.
export type * from './protocol/generated';
export * from './tokens';

export default [
  connectionManager,
  terminalManager,
  terminalScreens,
  transferManager,
  files,
  listings,
  panel,
  connectionLost,
  chat
];
