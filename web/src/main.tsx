import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/lists.css';
import './styles/thread.css';
import './styles/composer.css';
import './styles/voice.css';
import './styles/panels.css';
import { render } from 'preact';
import { createParley } from './client';
import { startLanguage } from './i18n';
import { watchDays } from './i18n/format';
import { createApp, Root } from './ui/root';
import { startRouting } from './ui/route';
import { applyTheme } from './ui/theme';
import { registerServiceWorker } from './ui/updates';

const place = document.getElementById('app');
if (!place) throw new Error('the page has no place for the app');

applyTheme();
startRouting();
watchDays();
await startLanguage();
const app = createApp(createParley());
render(<Root app={app} />, place);
void app.parley.start();
registerServiceWorker(app);
