"""The Salesforce adapter."""
