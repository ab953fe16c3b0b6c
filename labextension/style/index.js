import '@jupyter/chat/style/index.js';
import './base.css';
import './panel.css';
import './chat.css';
