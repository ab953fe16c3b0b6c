/**
 * Stands for connections/spawnWorker.ts in tests: Node has no workers with a browser's face.
 */
export function spawnWorker(): Worker {
  throw new Error('There are no workers here.');
}
