/**
 * The extension's icon.
 */
import { LabIcon } from '@jupyterlab/ui-components';

/** A hub with three spokes. */
export const hubIcon = new LabIcon({
  name: 'jupyter-ws-hub:hub',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <circle cx="12" cy="12" r="4"/><circle cx="12" cy="3" r="2.5"/>
    <circle cx="4" cy="18" r="2.5"/><circle cx="20" cy="18" r="2.5"/>
    <path d="M11 4h2v7h-2zM4.8 17.6l-.9-1.7 6.5-3.8.9 1.7zM19.2 17.6l.9-1.7-6.5-3.8-.9 1.7z"/>
  </g></svg>`
});
