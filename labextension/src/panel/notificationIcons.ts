/**
 * The icons of the levels: each has its own shape, so that nobody needs to know the colours.
 */
import { LabIcon } from '@jupyterlab/ui-components';

import { Notification } from '../protocol/generated';

const DISC = 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z';
const icon = (name: string, path: string) =>
  new LabIcon({
    name: `jupyter-ws-hub:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path fill="currentColor" fill-rule="evenodd" d="${path}"/></svg>`
  });

export const LEVEL_ICONS: Record<Notification['level'], LabIcon> = {
  info: icon('info', `${DISC}M11 10h2v7h-2zM11 6.5h2v2h-2z`),
  success: icon(
    'success',
    `${DISC}M10.5 16.6l-4.1-4.1 1.5-1.5 2.6 2.6 5.6-5.6 1.5 1.5z`
  ),
  warning: icon('warning', 'M12 2.5L23 21.5H1zM11 9.5h2v6h-2zM11 17h2v2h-2z'),
  error: icon(
    'error',
    'M8 2h8l6 6v8l-6 6H8l-6-6V8zM11 6.5h2v7h-2zM11 15.5h2v2h-2z'
  )
};
