import { describePort, describeTraffic } from '../balancer/contract.ts';
import { startContractSite } from './contract-site.ts';

describePort('the Data Plane API, v3', () => startContractSite('v3'));
describeTraffic('the Data Plane API, v3', () => startContractSite('v3'));
