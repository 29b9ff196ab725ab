import { LightningElement, api } from 'lwc';
import CASE_ID from '@salesforce/schema/Opportunity.Aurevoir_Case_Id__c';
import STATUS from '@salesforce/schema/Opportunity.Aurevoir_Status__c';
import PLAYBOOK from '@salesforce/schema/Opportunity.Aurevoir_Playbook__c';
import EXIT_REASON from '@salesforce/schema/Opportunity.Aurevoir_Exit_Reason__c';
import EXIT_SCORE from '@salesforce/schema/Opportunity.Aurevoir_Exit_Score__c';
import EXIT_FEEDBACK_AT from '@salesforce/schema/Opportunity.Aurevoir_Exit_Feedback_At__c';
import EXIT_FEEDBACK from '@salesforce/schema/Opportunity.Aurevoir_Exit_Feedback__c';

const FIELDS = [STATUS, PLAYBOOK, EXIT_REASON, EXIT_SCORE, EXIT_FEEDBACK_AT, CASE_ID, EXIT_FEEDBACK];

/** Where the goodbye of an opportunity stands, from our fields on it; its tasks are in the activity list. */
export default class AurevoirCase extends LightningElement {
    @api recordId;
    @api objectApiName;

    fields = FIELDS.map((field) => field.fieldApiName);

    get isOpportunity() {
        return this.objectApiName === 'Opportunity';
    }
}
