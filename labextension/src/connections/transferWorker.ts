/**
 * The dedicated worker's program: sockets, files and digests of transfers, away from the page's own thread.
 */
import { TransferEngine } from './transferEngine';
import { FromEngine, ToEngine } from './transferJob';
import { openWebSocket } from './webSocket';

/** What is used of a `DedicatedWorkerGlobalScope`. */
interface IScope {
  postMessage(message: FromEngine): void;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
}

const scope = self as unknown as IScope;
const engine = new TransferEngine(
  (url, subprotocol, events) =>
    openWebSocket(WebSocket, url, subprotocol, events),
  message => scope.postMessage(message)
);
scope.onmessage = event => engine.handle(event.data);
scope.postMessage({ type: 'ready' });
