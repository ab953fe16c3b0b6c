/**
 * Starts the worker of transfers. The form of this expression is what the bundler looks for.
 *
 * @throws an Error where the page may not start one.
 */
export function spawnWorker(): Worker {
  return new Worker(new URL('./transferWorker', import.meta.url));
}
