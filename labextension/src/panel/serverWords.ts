/**
 * The words and numbers of the server's state, in the user's language.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import {
  ConnectionTotals,
  Health,
  ProcessStatus,
  RunningStatus,
  TransferTotals
} from '../protocol/generated';
import { bytes } from './words';

/** A service's state. */
export function healthName(
  state: Health['state'],
  trans: TranslationBundle
): string {
  switch (state) {
    case 'ok':
      return trans.__('works');
    case 'degraded':
      return trans.__('degraded');
    case 'down':
      return trans.__('down');
  }
}

/** All services in a few words. */
export function servicesText(
  services: readonly Health[],
  trans: TranslationBundle
): string {
  const count = (state: Health['state']) =>
    services.filter(one => one.state === state).length;
  const troubled = [
    count('down') > 0 ? trans.__('%1 down', count('down')) : '',
    count('degraded') > 0 ? trans.__('%1 degraded', count('degraded')) : ''
  ].filter(part => part !== '');
  return troubled.length > 0
    ? troubled.join(', ')
    : trans.__('all %1 work', services.length);
}

/** A share of one core, or of a machine, in percent. */
export function percent(share: number, trans: TranslationBundle): string {
  return trans.__('%1 %', Math.round(100 * share));
}

/** Kernels: how many, and how many of them work. */
export function kernelsText(
  kernels: readonly RunningStatus[],
  trans: TranslationBundle
): string {
  const busy = kernels.filter(({ state }) => state === 'busy').length;
  return busy > 0
    ? trans.__('%1, %2 busy', kernels.length, busy)
    : String(kernels.length);
}

/** Open connections by kind, and whose they are. */
export function connectionsText(
  { main, terminals, file_streams, users }: ConnectionTotals,
  trans: TranslationBundle
): string {
  const all = main + terminals + file_streams;
  return users > 1 ? trans.__('%1 (%2 people)', all, users) : String(all);
}

/** What the connections are, in many words. */
export function connectionsTitle(
  { main, terminals, file_streams }: ConnectionTotals,
  trans: TranslationBundle
): string {
  return [
    trans.__('Messages: %1', main),
    trans.__('Terminals: %1', terminals),
    trans.__('File streams: %1', file_streams)
  ].join('\n');
}

/** How fast the transfers of all are, and how many do not move. */
export function transfersText(
  { paused, bytes_per_s }: TransferTotals,
  trans: TranslationBundle
): string {
  const rate = trans.__('%1/s', bytes(bytes_per_s));
  return paused > 0 ? trans.__('%1, %2 paused', rate, paused) : rate;
}

/** How busy the machine is, or what the server can have of it. */
export function machineText(
  process: ProcessStatus,
  trans: TranslationBundle
): string {
  const { machine_cpu, machine_cores, cores_of } = process;
  const share = percent(machine_cpu / machine_cores, trans);
  switch (cores_of) {
    case 'container':
      return trans._n(
        'container %2 of %1 core',
        'container %2 of %1 cores',
        machine_cores,
        share
      );
    case 'server':
      return trans._n(
        'with kernels %2 of %1 core allowed',
        'with kernels %2 of %1 cores allowed',
        machine_cores,
        share
      );
    default:
      return trans._n(
        'machine %2 of %1 core',
        'machine %2 of %1 cores',
        machine_cores,
        share
      );
  }
}

/** How full the memory is of the machine, or what the server can have of it. */
export function machineMemoryText(
  { machine_memory, machine_memory_used, memory_of }: ProcessStatus,
  trans: TranslationBundle
): string {
  const [used, all] = [bytes(machine_memory_used), bytes(machine_memory)];
  switch (memory_of) {
    case 'container':
      return trans.__('container %1 of %2', used, all);
    case 'server':
      return trans.__('with kernels %1 of %2 allowed', used, all);
    default:
      return trans.__('machine %1 of %2', used, all);
  }
}

/** What models use that run beside the server. */
export function modelsText(
  { models_cpu, models_memory }: ProcessStatus,
  trans: TranslationBundle
): string {
  return trans.__('%1, %2', percent(models_cpu, trans), bytes(models_memory));
}

/** A delay or round trip. */
export function milliseconds(ms: number, trans: TranslationBundle): string {
  return trans.__(
    '%1 ms',
    ms >= 9.95 ? Math.round(ms) : Math.round(10 * ms) / 10
  );
}
